import { invalid } from "../../lib/errors.ts";

/** Deeper trees than this the kernel makes, but no person. */
const maxDepth = 32;

/**
 * A group's path as people type it ("a/b", "/a/b/") in its one form, "/a/b". Throws when it would lead
 * out of the tree or could be mistaken for one of the kernel's files, as "memory.max" could.
 */
export function groupPath(given: string): string {
  const parts = given.split("/").filter((part) => part !== "" && part !== ".");
  for (const part of parts) {
    if (part === ".." || /[\0\n]/.test(part) || part.length > 255)
      throw invalid(`invalid control group name ${JSON.stringify(given)}`);
    if (/^(cgroup|memory|cpu|cpuset|cpuacct|pids|io|blkio|devices|freezer|hugetlb|rdma|misc)\./.test(part))
      throw invalid(
        `invalid control group name ${JSON.stringify(given)}: names such as ${JSON.stringify(part)} are the kernel's own files`,
      );
  }
  if (parts.length > maxDepth) throw invalid(`invalid control group name: more than ${maxDepth} levels`);
  return `/${parts.join("/")}`;
}
