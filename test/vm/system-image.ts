// An image with a system of its own: busybox as init, a shell on the console, a web server.
import { busyboxLayer, type TestImage, tarOf } from "../support/images.ts";

const inittab = `::sysinit:/bin/sh /etc/rc
ttyS0::respawn:/bin/sh -l
::shutdown:/bin/sh -c 'echo going down > /dev/ttyS0'
`;

/** Says on the console that the system is up. */
const rc = `mkdir -p /dev/pts /run /tmp
mount -t devpts devpts /dev/pts
echo 'page from the guest' > /tmp/index.html
httpd -h /tmp -p 80
echo "system $(hostname) is up"
`;

export const systemImage: TestImage = {
  tags: ["system:latest"],
  layers: [
    busyboxLayer(),
    tarOf([
      { name: "sbin/", type: "directory", mode: 0o755 },
      { name: "sbin/init", type: "symlink", mode: 0o777, linkname: "/bin/busybox" },
      { name: "etc/inittab", data: inittab },
      { name: "etc/rc", mode: 0o755, data: rc },
      { name: "root/owned", mode: 0o640, uid: 1234, gid: 5678, data: "of somebody\n" },
      // A file of the layer below that is not to be there.
      { name: "etc/.wh.group", data: "" },
    ]),
  ],
};
