#!/bin/sh
# Packs one static program as a container image: image.sh PROGRAM NAME OUTPUT.tar
# The archive is an OCI layout that is a docker-archive too, and the same bytes for the same program.
set -eu
program=$1 name=$2 output=$3
case $(uname -m) in x86_64) machine=amd64 ;; aarch64) machine=arm64 ;; *) machine=$(uname -m) ;; esac
work=$(mktemp -d "$output.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
blobs=$work/image/blobs/sha256
mkdir -p "$blobs" "$work/root"

pack() { # DIRECTORY OUTPUT
	tar --create --file "$2" --directory "$1" --sort=name --format=ustar --mtime=@0 \
		--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX .
}
keep() { # FILE: gives it its digest as a name, says the digest
	digest=$(sha256sum "$1" | cut -d' ' -f1)
	mv "$1" "$blobs/$digest"
	echo "$digest"
}
size() { stat -c %s "$blobs/$1"; }

cp "$program" "$work/root/$name"
pack "$work/root" "$work/layer.tar"
layer=$(keep "$work/layer.tar")

printf '%s' '{"architecture":"'"$machine"'","os":"linux","created":"1970-01-01T00:00:00Z",'\
'"config":{"Cmd":["/'"$name"'"],"Env":["PATH=/"],"WorkingDir":"/",'\
'"Labels":{"org.opencontainers.image.title":"'"$name"'","org.opencontainers.image.description":"Says what it is inside of"}},'\
'"rootfs":{"type":"layers","diff_ids":["sha256:'"$layer"'"]},'\
'"history":[{"created":"1970-01-01T00:00:00Z","created_by":"built in"}]}' > "$work/config.json"
config=$(keep "$work/config.json")

printf '%s' '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'\
'"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:'"$config"'","size":'"$(size "$config")"'},'\
'"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:'"$layer"'","size":'"$(size "$layer")"'}]}' > "$work/manifest"
manifest=$(keep "$work/manifest")

printf '{"imageLayoutVersion":"1.0.0"}' > "$work/image/oci-layout"
printf '%s' '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":['\
'{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:'"$manifest"'","size":'"$(size "$manifest")"','\
'"platform":{"architecture":"'"$machine"'","os":"linux"},'\
'"annotations":{"io.containerd.image.name":"docker.io/library/'"$name"':latest","org.opencontainers.image.ref.name":"latest"}}]}' > "$work/image/index.json"
printf '%s' '[{"Config":"blobs/sha256/'"$config"'","RepoTags":["'"$name"':latest"],'\
'"Layers":["blobs/sha256/'"$layer"'"]}]' > "$work/image/manifest.json"

pack "$work/image" "$work/image.tar"
mv "$work/image.tar" "$output"
