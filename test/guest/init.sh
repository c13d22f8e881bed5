#!/bin/busybox sh
# The first process of the guest, in its initial ram disk. Makes a root of the host's files, which are shared
# read-only, with a scratch disk over them for what is written, then goes on in it with inside.sh.
/bin/busybox --install -s /bin
export PATH=/bin
set -e
trap 'echo "init: failed" > /dev/console' EXIT
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules/list
# Device nodes appear a moment after their driver.
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 600 ]; do
	tries=$((tries + 1))
	sleep 0.05
done
mkdir -p /scratch /lower /root
# The scratch disk is thrown away: nothing of it needs to be safe from a power cut.
mount -t ext4 -o nobarrier,noatime,data=writeback /dev/vda /scratch
mount -t virtiofs -o ro host /lower
mkdir -p /scratch/upper /scratch/work /scratch/tmp
chmod 1777 /scratch/tmp
mount -t overlay -o lowerdir=/lower,upperdir=/scratch/upper,workdir=/scratch/work root /root
# Container roots and id-mapped data want a real disk, not an overlay.
mount --bind /scratch/tmp /root/tmp
cp inside.sh command.sh /root/tmp/
read -r checkout < checkout
case $checkout in
/tmp/*)
	mkdir -p "/root$checkout" /scratch/upper-checkout /scratch/work-checkout
	own=upperdir=/scratch/upper-checkout,workdir=/scratch/work-checkout
	mount -t overlay -o "lowerdir=/lower$checkout,$own" root "/root$checkout"
	;;
esac
for directory in dev proc sys; do mount --move "/$directory" "/root/$directory"; done
trap - EXIT
exec switch_root /root /bin/sh /tmp/inside.sh
