#include "tar.h"

#include <string.h>

void clean_path(char *path)
{
	char *out = path;
	const char *in = path;
	while (*in) {
		while (*in == '/')
			in++;
		size_t size = strcspn(in, "/");
		if (size == 0)
			break;
		if (size == 1 && in[0] == '.') {
			in += size;
			continue;
		}
		if (size == 2 && in[0] == '.' && in[1] == '.') {
			if (out == path)
				fail("%s is outside of the archive's root", current_entry ? current_entry : path);
			while (out > path && out[-1] != '/')
				out--;
			if (out > path)
				out--;
			in += size;
			continue;
		}
		if (out > path)
			*out++ = '/';
		memmove(out, in, size);
		out += size;
		in += size;
	}
	*out = 0;
}
