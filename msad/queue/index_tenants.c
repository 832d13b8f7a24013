/*
 * How many octets each tenant has in the queue, by the number of its key. Runs
 * in msad-queue, called by index.c as messages come and go.
 */
#include <stdlib.h>

#include "index_keys.h"

static uint64_t	*octets;
static uint32_t	 alloc;

static uint32_t
handle_of(const struct message *m)
{
	return keys_find(INDEX_TENANT, SLICE_STR(message_tenant(m)));
}

int
tenants_add(const struct message *m)
{
	uint32_t	 number = keys_number(handle_of(m)), want;
	uint64_t	*p;

	if (number >= alloc) {
		want = number + number / 2 + 16;
		if ((p = recallocarray(octets, alloc, want, sizeof(*p))) ==
		    NULL)
			return -1;
		octets = p;
		alloc = want;
	}
	octets[number] += m->size;
	return 0;
}

void
tenants_remove(const struct message *m)
{
	octets[keys_number(handle_of(m))] -= m->size;
}

uint64_t
index_tenant_octets(struct slice tenant)
{
	uint32_t	handle = keys_find(INDEX_TENANT, tenant);

	return handle == 0 ? 0 : octets[keys_number(handle)];
}
