#include "files.h"

#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#define NOBODY 65534

static struct id_map {
	uint32_t first, base, size;
} maps[4];
static unsigned map_count;

void map_ids(uint32_t first, uint32_t base, uint32_t size)
{
	if (map_count == sizeof maps / sizeof *maps)
		fail("too many ranges of ids");
	maps[map_count++] = (struct id_map){first, base, size};
}

uint32_t id_from_host(uint32_t id)
{
	for (const struct id_map *map = maps; map < maps + map_count; map++)
		if (id >= map->base && id - map->base < map->size)
			return map->first + (id - map->base);
	return map_count == 0 ? id : NOBODY;
}

uint32_t id_to_host(uint32_t id)
{
	for (const struct id_map *map = maps; map < maps + map_count; map++)
		if (id >= map->first && id - map->first < map->size)
			return map->base + (id - map->first);
	if (map_count > 0)
		fail("Container ID %u cannot be mapped to a host ID", id);
	return id;
}

void become_map_root(void)
{
	if (map_count == 0)
		return;
	/* Otherwise the kernel takes the rights over files away with root's id. */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0)
		fail_errno("prctl PR_SET_SECUREBITS");
	uint32_t owner = id_to_host(0);
	setfsgid(owner);
	setfsuid(owner);
	if ((uint32_t)setfsuid(owner) != owner || (uint32_t)setfsgid(owner) != owner)
		fail("setfsuid: not permitted");
}
