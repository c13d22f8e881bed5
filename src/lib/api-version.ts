/** The newest and the oldest version of the Docker Engine API that Berth speaks. */
export const newestApi = "1.50";
export const oldestApi = "1.24";
