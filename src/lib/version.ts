/** The version of this program, that of package.json. */
export const berthVersion = "0.1.0";
