#!/bin/sh
# All that a fresh Debian machine with Node and npm needs to run Berth from this directory: system
# packages, npm packages, the native programs. Silent and quick when there is nothing to do.
#   scripts/setup.sh             what running needs
#   scripts/setup.sh --with-vm   and what virtual machines need
#   scripts/setup.sh --test      and what the tests need, virtual machines among it
set -eu
cd "$(dirname "$0")/.."

tests=
machines=
for argument; do
	case $argument in
	--test) tests=1 machines=1 ;;
	--with-vm) machines=1 ;;
	*)
		echo "usage: scripts/setup.sh [--with-vm] [--test]" >&2
		exit 2
		;;
	esac
done

say() { echo "setup: $*" >&2; }
fail() {
	say "$*"
	exit 1
}
has() { command -v "$1" > /dev/null 2>&1; }
# One of the files exists; takes an unquoted pattern.
there() { [ -e "$1" ]; }

writable() {
	[ -w . ] || fail "not set up yet, and this directory is not yours to write: run scripts/setup.sh as $(stat -c %U .)"
}

# Names the Debian packages whose files are not here. Looks for files, so that a compiler or a
# library that came another way counts too.
missing_packages() {
	has cc || has gcc || echo gcc
	has make || echo make
	# For `docker top` with columns of one's choice.
	has ps || echo procps
	# Archives that are compressed in these ways.
	has xz || echo xz-utils
	has bzip2 || echo bzip2
	# Builds read repositories.
	has git || echo git
	# The disks of containers whose size is limited.
	{ has mkfs.ext4 || there /sbin/mkfs.ext4; } || echo e2fsprogs
	# The rules of networks and published ports.
	has nft || echo nftables
	there /usr/include/stdio.h || echo libc6-dev
	there /usr/include/linux/seccomp.h || echo linux-libc-dev
	{ there /usr/include/seccomp.h && there /usr/lib/*/libseccomp.a; } || echo libseccomp-dev
	{ there /usr/include/zlib.h && there /usr/lib/*/libz.a; } || echo zlib1g-dev
	{ there /usr/include/zstd.h && there /usr/lib/*/libzstd.a; } || echo libzstd-dev
	{ there /usr/include/openssl/sha.h && there /usr/lib/*/libcrypto.a; } || echo libssl-dev
	if [ -n "$machines" ]; then
		has qemu-system-x86_64 || echo qemu-system-x86
		# Shares directories with guests; a package of its own from Debian 13 on.
		there /usr/lib/qemu/virtiofsd || there /usr/libexec/virtiofsd ||
			if apt-cache show virtiofsd > /dev/null 2>&1; then echo virtiofsd; else echo qemu-system-common; fi
		has qemu-img || echo qemu-utils
		# Disks made of images.
		has mke2fs || there /usr/sbin/mke2fs || echo e2fsprogs
	fi
	[ -n "$tests" ] || return 0
	# Images of operating systems.
	has mmdebstrap || echo mmdebstrap
	there /bin/busybox || echo busybox-static
	has docker-registry || echo docker-registry
	has skopeo || echo skopeo
	# Packs archives for builds to add.
	has zstd || echo zstd
	has umoci || echo umoci
	has openssl || echo openssl
	# An ssh agent, for builds to ask.
	{ has ssh-agent && has ssh-add; } || echo openssh-client
	# Repositories that are read over ssh.
	there /usr/sbin/sshd || echo openssh-server
	has python3 || echo python3-minimal
	# An application of several services.
	has docker-compose || echo docker-compose
	has redis-server || echo redis-server
}

# The docker command line that the end-to-end tests drive: the machine's when it is new enough, else
# one from Debian, unpacked into .cache/docker so that no daemon is installed or started.
docker_client_missing() {
	[ -n "$tests" ] || return 1
	there .cache/docker/usr/bin/docker && return 1
	version=$(docker --version 2> /dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	[ "${version:-0}" -lt 26 ]
}

# Debian 13 has one that is new enough. Its list is read into a directory of our own, so that the machine's
# packages stay those of its own release.
fetch_docker_client() {
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" > "$work/sources.list"
	# The downloads are for a directory that is not for apt's own user.
	cat > "$work/apt.conf" <<- END
		Dir::Etc::SourceList "$work/sources.list";
		Dir::Etc::SourceParts "-";
		Dir::State::Lists "$work/lists";
		Dir::Cache "$work/cache";
		APT::Sandbox::User "root";
	END
	if ! (cd "$work" && export APT_CONFIG="$work/apt.conf" && apt-get -qq update && apt-get -qq download docker-cli &&
		dpkg-deb --extract docker-cli_*.deb root) > .cache/apt.log 2>&1; then
		cat .cache/apt.log >&2
		fail "the tests need a docker command line of version 26 or newer; none could be fetched"
	fi
	mkdir -p .cache/docker/usr/bin
	mv "$work/root/usr/bin/docker" .cache/docker/usr/bin/docker
}

# The kernel of virtual machines: Debian's for clouds, unpacked into .cache/guest-kernel. Installing the package
# would make this machine boot it.
guest_kernel_missing() {
	[ -n "$machines" ] || return 1
	there .cache/guest-kernel/boot/vmlinuz-* && return 1
	# A host that has it installed needs no second one.
	! there /boot/vmlinuz-*-cloud-*
}

fetch_guest_kernel() {
	work=$(mktemp -d .cache/guest-kernel.XXXXXX)
	trap 'rm -rf "$work"' EXIT
	package=$(apt-cache depends --important linux-image-cloud-amd64 | sed -n 's/ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	[ -n "$package" ] || fail "Debian's package lists name no kernel for linux-image-cloud-amd64; virtual machines need a kernel"
	# The downloads are for a directory that is not for apt's own user.
	if ! (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package" &&
		dpkg-deb --extract linux-image-*.deb root && rm -f linux-image-*.deb) > .cache/apt.log 2>&1; then
		cat .cache/apt.log >&2
		fail "virtual machines need a kernel; $package could not be fetched"
	fi
	rm -rf .cache/guest-kernel
	mv "$work/root" .cache/guest-kernel
}

# Keeps package scripts from starting services while it runs, unless the machine has a say of its own.
install_packages() {
	policy=/usr/sbin/policy-rc.d
	if ! there "$policy"; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' > "$policy"
		chmod 755 "$policy"
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install --yes --no-install-recommends "$@" > .cache/apt.log 2>&1 < /dev/null || {
		cat .cache/apt.log >&2
		fail "apt-get could not install: $*"
	}
}

setup_packages() {
	packages=$(missing_packages | tr '\n' ' ')
	packages=${packages% }
	[ -n "$packages" ] || docker_client_missing || guest_kernel_missing || return 0
	has apt-get || fail "missing: ${packages:-a docker command line or a guest kernel}. This is not a Debian system; install what gives these by its own means."
	if [ -n "$packages" ] && [ "$(id -u)" != 0 ]; then
		fail "missing: $packages. Run as root: apt-get update && apt-get install --yes $packages"
	fi
	writable
	if [ -n "$packages" ] || guest_kernel_missing; then
		say "reading Debian's package lists"
		apt-get -qq update > .cache/apt.log 2>&1 || say "apt-get update failed, trying with the lists that are here: $(tail -n 1 .cache/apt.log)"
	fi
	if [ -n "$packages" ]; then
		say "installing $packages"
		# A subshell, so that the traps of one step end with it.
		# shellcheck disable=SC2086
		(install_packages $packages)
	fi
	if guest_kernel_missing; then
		say "fetching a kernel for virtual machines"
		(fetch_guest_kernel)
	fi
	if docker_client_missing; then
		say "fetching a docker command line for the tests"
		(fetch_docker_client)
	fi
}

setup_npm() {
	stamp=node_modules/.berth-lock
	if cmp -s package-lock.json "$stamp" && there node_modules/.bin/node; then
		return 0
	fi
	writable
	has npm || fail "npm is missing; install Node.js 20 or newer with npm"
	say "installing npm packages"
	npm ci --no-audit --no-fund --loglevel=error > .cache/npm.log 2>&1 < /dev/null || {
		cat .cache/npm.log >&2
		fail "npm ci failed"
	}
	there node_modules/.bin/node || fail "the npm package 'node' did not install a Node for this machine"
	cp package-lock.json "$stamp"
}

setup_native() {
	for directory in native native/*/; do
		directory=${directory%/}
	there "$directory/Makefile" || continue
		make --question --silent -C "$directory" > /dev/null 2>&1 && continue
		writable
		say "building $directory"
		make --silent -C "$directory" >&2 < /dev/null
	done
}

# What a daemon in this checkout runs, until a source is touched (bin/berth looks). Compiled into the cache here,
# not in the first start, which would take longer and keep the compiler in its memory.
bundle_daemon() {
	[ -w . ] || return 0
	[ -n "$(find src package-lock.json scripts/bundle-code.ts -newercm .cache/bundle/begun -print -quit 2>&1)" ] || return 0
	say "bundling"
	name=bundles/$(date +%s%N)
	work=.cache/$name
	mkdir -p "$work"
	# Before the sources are read: what is touched meanwhile counts as touched after.
	touch "$work/begun"
	node_modules/.bin/node --input-type=module --eval \
		'const { bundleCode } = await import(`${process.cwd()}/scripts/bundle-code.ts`); await bundleCode(process.cwd(), process.argv[1])' "$work"
	NODE_COMPILE_CACHE=.cache/compile node_modules/.bin/node --max-semi-space-size=2 --input-type=module --eval \
		'const { globSync } = await import("node:fs"); for (const file of globSync(`${process.cwd()}/${process.argv[1]}/chunks/{daemon,open-engine}-*.js`)) await import(file)' "$work"
	[ -h .cache/bundle ] || rm -rf .cache/bundle
	ln -sfn "$name" .cache/bundle
	bin/berth daemon --help > /dev/null
	# A daemon that runs may still load parts of the one from which it started.
	ls -d .cache/bundles/* | head -n -5 | xargs rm -rf
}

if [ -w . ]; then
	# Two starts at once: the second waits, then finds all done.
	mkdir -p .cache
	exec 9> .cache/setup.lock
	flock 9
fi
setup_packages
setup_npm
setup_native
bundle_daemon
