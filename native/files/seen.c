/* Which inodes were met: a table with open addressing. */
#include "files.h"

#include <stdlib.h>
#include <string.h>

struct slot {
	dev_t dev;
	ino_t ino;
	char *name; /* NULL: free */
};
static struct slot *slots;
static size_t capacity, used;

static struct slot *find(dev_t dev, ino_t ino)
{
	uint64_t hash = ((uint64_t)ino + (uint64_t)dev * 0x9e3779b97f4a7c15u) * 0x9e3779b97f4a7c15u;
	for (size_t i = hash >> 20;; i++) {
		struct slot *slot = &slots[i & (capacity - 1)];
		if (!slot->name || (slot->dev == dev && slot->ino == ino))
			return slot;
	}
}

static void grow(void)
{
	struct slot *old = slots;
	size_t count = capacity;
	capacity = capacity ? capacity * 2 : 256;
	slots = must_alloc(capacity * sizeof *slots);
	memset(slots, 0, capacity * sizeof *slots);
	for (size_t i = 0; i < count; i++)
		if (old[i].name)
			*find(old[i].dev, old[i].ino) = old[i];
	free(old);
}

const char *seen_before(dev_t dev, ino_t ino, const char *name)
{
	if (used * 2 >= capacity)
		grow();
	struct slot *slot = find(dev, ino);
	if (slot->name)
		return slot->name;
	used++;
	slot->dev = dev;
	slot->ino = ino;
	if (!(slot->name = strdup(name)))
		fail("out of memory");
	return NULL;
}
