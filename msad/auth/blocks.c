/*
 * The auth blocks of the current configuration by listener, for msad-auth's
 * sessions. Old blocks live until the last session that uses them has ended.
 */

#include <stdlib.h>
#include <string.h>

#include "msad/auth/blocks.h"

static struct auth_block **by_listener;
static size_t		 nlisteners;

void
blocks_release(struct auth_block *block)
{
	if (block == NULL || --block->refs > 0)
		return;
	free(block->name);
	free(block->service);
	free(block->realm);
	free(block);
}

static struct auth_block *
block_new(const struct conf_auth *conf)
{
	struct auth_block	*block;

	if ((block = calloc(1, sizeof(*block))) == NULL)
		return NULL;
	block->refs = 1;
	block->mechs = conf->mechs;
	block->name = strdup(conf->name);
	block->service = strdup(conf->pam_service);
	block->realm = strdup(conf->realm != NULL ? conf->realm : "");
	if (block->name == NULL || block->service == NULL ||
	    block->realm == NULL) {
		blocks_release(block);
		return NULL;
	}
	return block;
}

static void
table_free(struct auth_block **table, size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		blocks_release(table[i]);
	free(table);
}

/* Each listener gets a copy of its own: they are few. */
static int
table_fill(struct auth_block **table, size_t n, const struct conf *conf)
{
	const struct conf_listener	*listener;
	const struct conf_auth		*auth;

	TAILQ_FOREACH(listener, &conf->listeners, entry) {
		if (listener->index >= n || table[listener->index] != NULL ||
		    listener->auth == NULL)
			continue;
		if ((auth = conf_auth_find(conf, listener->auth)) == NULL)
			continue;
		if ((table[listener->index] = block_new(auth)) == NULL)
			return -1;
	}
	return 0;
}

int
blocks_load(const struct conf *conf)
{
	const struct conf_listener	*listener;
	struct auth_block		**table;
	size_t				 n = 0;

	TAILQ_FOREACH(listener, &conf->listeners, entry)
		if (listener->index >= n)
			n = (size_t)listener->index + 1;
	if ((table = calloc(n + 1, sizeof(*table))) == NULL)
		return -1;
	if (table_fill(table, n, conf) == -1) {
		table_free(table, n);
		return -1;
	}
	table_free(by_listener, nlisteners);
	by_listener = table;
	nlisteners = n;
	return 0;
}

struct auth_block *
blocks_of_listener(unsigned int index)
{
	if (index >= nlisteners || by_listener[index] == NULL)
		return NULL;
	by_listener[index]->refs++;
	return by_listener[index];
}
