#include "tar.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

struct decompressor {
	enum packing packing;
	bool done;
	z_stream gzip;
	ZSTD_DStream *zstd;
};

struct decompressor *decompressor_new(enum packing packing)
{
	struct decompressor *d = must_alloc(sizeof *d);
	memset(d, 0, sizeof *d);
	d->packing = packing;
	if (packing == GZIP && inflateInit2(&d->gzip, 15 + 16) != Z_OK)
		fail("out of memory");
	if (packing == ZSTD && !(d->zstd = ZSTD_createDStream()))
		fail("out of memory");
	d->done = packing == PLAIN;
	return d;
}

static size_t from_gzip(struct decompressor *d, const unsigned char **in, size_t *in_size, unsigned char *out, size_t out_size)
{
	/* An archive may consist of several members, one after the other. */
	if (d->done) {
		if (*in_size == 0)
			return 0;
		inflateReset(&d->gzip);
		d->done = false;
	}
	d->gzip.next_in = (unsigned char *)*in;
	d->gzip.avail_in = (uInt)*in_size;
	d->gzip.next_out = out;
	d->gzip.avail_out = (uInt)out_size;
	int result = inflate(&d->gzip, Z_NO_FLUSH);
	if (result == Z_STREAM_END)
		d->done = true;
	else if (result != Z_OK && result != Z_BUF_ERROR)
		fail("gzip: %s", d->gzip.msg ? d->gzip.msg : "invalid data");
	*in = d->gzip.next_in;
	*in_size = d->gzip.avail_in;
	return out_size - d->gzip.avail_out;
}

static size_t from_zstd(struct decompressor *d, const unsigned char **in, size_t *in_size, unsigned char *out, size_t out_size)
{
	ZSTD_inBuffer input = { *in, *in_size, 0 };
	ZSTD_outBuffer output = { out, out_size, 0 };
	if (d->done && *in_size == 0)
		return 0;
	size_t result = ZSTD_decompressStream(d->zstd, &output, &input);
	if (ZSTD_isError(result))
		fail("zstd: %s", ZSTD_getErrorName(result));
	d->done = result == 0;
	*in += input.pos;
	*in_size -= input.pos;
	return output.pos;
}

size_t decompress(struct decompressor *d, const unsigned char **in, size_t *in_size, unsigned char *out, size_t out_size)
{
	switch (d->packing) {
	case GZIP:
		return from_gzip(d, in, in_size, out, out_size);
	case ZSTD:
		return from_zstd(d, in, in_size, out, out_size);
	default:
		break;
	}
	size_t size = *in_size < out_size ? *in_size : out_size;
	memcpy(out, *in, size);
	*in += size;
	*in_size -= size;
	return size;
}

bool decompressor_done(const struct decompressor *d)
{
	return d->done;
}
