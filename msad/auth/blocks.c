/*
 * The auth blocks of the current configuration by listener, for msad-auth's
 * sessions. Old blocks live until the last session that uses them has ended.
 */

#include <stdlib.h>
#include <string.h>

#include "common/conf_table.h"
#include "msad/auth/blocks.h"
#include "msad/auth/files.h"
#include "msad/auth/passfile.h"

static struct auth_block **by_listener;
static size_t		 nlisteners;

struct auth_block *
blocks_ref(struct auth_block *block)
{
	block->refs++;
	return block;
}

void
blocks_release(struct auth_block *block)
{
	size_t	 i;

	if (block == NULL || --block->refs > 0)
		return;
	free(block->name);
	free(block->service);
	free(block->realm);
	free(block->tenant);
	free(block->host);
	passfile_release(block->passfile);
	conf_oauth_free(&block->oauth);
	conf_clients_free(&block->clients);
	for (i = 0; block->cert_users != NULL &&
	    block->cert_users[i].key != NULL; i++) {
		free(block->cert_users[i].key);
		free(block->cert_users[i].user);
	}
	free(block->cert_users);
	free(block);
}

/* The users of certificates, by the rows of a table. */
static struct cert_user *
cert_users(const struct conf_table *table)
{
	const struct conf_row	*row;
	struct cert_user	*list;
	size_t			 n = 0;

	TAILQ_FOREACH(row, &table->rows, entry)
		n++;
	if ((list = calloc(n + 1, sizeof(*list))) == NULL)
		return NULL;
	n = 0;
	TAILQ_FOREACH(row, &table->rows, entry) {
		list[n].key = strdup(row->key);
		list[n].user = strdup(row->value != NULL ? row->value :
		    row->key);
		if (list[n].key == NULL || list[n].user == NULL) {
			free(list[n].key);
			free(list[n].user);
			list[n].key = NULL;
			break;
		}
		n++;
	}
	return list;
}

/* What is said of tokens and certificates. */
static int
copy_identity(struct auth_block *block, const struct conf *conf,
    const struct conf_auth *auth)
{
	const struct conf_table	*table;

	if (conf_oauth_copy(&block->oauth, &auth->oauth) == -1 ||
	    conf_clients_copy(&block->clients, &auth->clients) == -1)
		return -1;
	block->host = strdup(conf->hostname != NULL ? conf->hostname : "");
	if (block->host == NULL)
		return -1;
	if (auth->clients.table == NULL ||
	    (table = conf_table_find(conf, auth->clients.table)) == NULL)
		return 0;
	block->cert_users = cert_users(table);
	return block->cert_users != NULL ? 0 : -1;
}

static struct auth_block *
block_new(const struct conf_auth *conf)
{
	struct auth_block	*block;
	struct passfile		*passfile;

	if ((block = calloc(1, sizeof(*block))) == NULL)
		return NULL;
	block->refs = 1;
	block->mechs = conf->mechs;
	block->cache = conf->cache;
	block->expired_hide = conf->expired_hide;
	if ((passfile = files_passfile(conf->name)) != NULL)
		block->passfile = passfile_ref(passfile);
	block->name = strdup(conf->name);
	block->service = strdup(conf->pam_service != NULL ?
	    conf->pam_service : "");
	block->realm = strdup(conf->realm != NULL ? conf->realm : "");
	block->tenant = strdup(conf->tenant != NULL ? conf->tenant : "");
	if (block->name == NULL || block->service == NULL ||
	    block->realm == NULL || block->tenant == NULL) {
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
		if ((table[listener->index] = block_new(auth)) == NULL ||
		    copy_identity(table[listener->index], conf, auth) == -1)
			return -1;
		table[listener->index]->port = listener->port;
		table[listener->index]->grants = listener->grants;
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

struct passfile *
blocks_passfile(const struct auth_block *block)
{
	struct passfile	*now;

	if (block->passfile == NULL)
		return NULL;
	now = files_passfile(block->name);
	return now != NULL ? now : block->passfile;
}

struct jwks *
blocks_keys(const struct auth_block *block)
{
	return files_keys(block->name);
}

struct authority *
blocks_authority(const struct auth_block *block)
{
	return files_authority(block->name);
}

struct auth_block *
blocks_of_listener(unsigned int index)
{
	if (index >= nlisteners || by_listener[index] == NULL)
		return NULL;
	by_listener[index]->refs++;
	return by_listener[index];
}

bool
blocks_current(const struct auth_block *block)
{
	size_t	 i;

	for (i = 0; i < nlisteners; i++)
		if (by_listener[i] == block)
			return true;
	return false;
}

static bool
is_named(const struct auth_block *block, struct slice name)
{
	return name.len == 0 || slice_is(name, block->name) ||
	    (block->service[0] != '\0' && slice_is(name, block->service));
}

struct auth_block *
blocks_of_name(struct slice name, bool grants, const char **reason)
{
	struct auth_block	*block, *found = NULL;
	size_t			 i;

	for (i = 0; i < nlisteners; i++) {
		if ((block = by_listener[i]) == NULL ||
		    (grants && !block->grants) || !is_named(block, name))
			continue;
		if (found != NULL && strcmp(found->name, block->name) != 0) {
			*reason = "there are several auth blocks: name one";
			return NULL;
		}
		found = block;
	}
	if (found != NULL)
		found->refs++;
	else
		*reason = grants ? "no listener that allows grants has such an "
		    "auth block" : "no listener has such an auth block";
	return found;
}
