#!/bin/sh
# The first process of the guest from then on: what an init system would set up, then the command, whose
# output and exit code go to the host by a port each.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /dev/pts /dev/shm /run/lock
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
# As on a machine with systemd the root has no processes, and its groups no controllers by themselves.
mkdir /sys/fs/cgroup/system
echo $$ > /sys/fs/cgroup/system/cgroup.procs
echo guest > /proc/sys/kernel/hostname
ip link set lo up
for port in /sys/class/virtio-ports/*; do
	case $(cat "$port/name") in
	output) output=/dev/${port##*/} ;;
	status) status=/dev/${port##*/} ;;
	esac
done
/bin/sh /tmp/command.sh > "$output" 2>&1 < /dev/null
echo $? > "$status"
sync
echo o > /proc/sysrq-trigger
while :; do sleep 60; done
