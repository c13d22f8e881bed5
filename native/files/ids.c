#include "files.h"

#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#define NOBODY 65534

struct id_map ids;

uint32_t id_from_host(uint32_t id)
{
	if (ids.size == 0)
		return id;
	return id >= ids.base && id - ids.base < ids.size ? id - ids.base : NOBODY;
}

uint32_t id_to_host(uint32_t id)
{
	if (ids.size == 0)
		return id;
	if (id >= ids.size)
		fail("Container ID %u cannot be mapped to a host ID", id);
	return ids.base + id;
}

void become_map_root(void)
{
	if (ids.size == 0)
		return;
	/* Otherwise the kernel takes the rights over files away with root's id. */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0)
		fail_errno("prctl PR_SET_SECUREBITS");
	setfsgid(ids.base);
	setfsuid(ids.base);
	if ((uint32_t)setfsuid(ids.base) != ids.base || (uint32_t)setfsgid(ids.base) != ids.base)
		fail("setfsuid: not permitted");
}
