/*
 * The files of auth blocks by generation of the configuration (files.h). Runs
 * in msad-auth, called by auth.c with what msad sends. What is in a file is
 * read by its own module; here is which of them counts.
 */

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "msad/auth/authority.h"
#include "msad/auth/files.h"
#include "msad/auth/jwks.h"
#include "msad/auth/passfile.h"

struct file {
	TAILQ_ENTRY(file)	 entry;
	uint32_t		 generation;
	enum ipc_file		 kind;
	char			*name;		/* of its auth block */
	int			 fd;		/* -1: read */
	struct passfile		*passfile;	/* of FILE_PASSWD, when read */
	struct jwks		*keys;		/* of FILE_OAUTH_KEYS */
	struct authority	*authority;	/* of FILE_CLIENT_CA */
};

static TAILQ_HEAD(, file)	 files = TAILQ_HEAD_INITIALIZER(files);
static uint32_t			 current;

static void
file_free(struct file *f)
{
	TAILQ_REMOVE(&files, f, entry);
	if (f->fd != -1)
		close(f->fd);
	passfile_release(f->passfile);
	jwks_release(f->keys);
	authority_release(f->authority);
	free(f->name);
	free(f);
}

int
files_take(uint32_t generation, enum ipc_file kind, struct slice name, int fd)
{
	struct file	*f;

	if ((f = calloc(1, sizeof(*f))) == NULL ||
	    (f->name = strndup(name.p, name.len)) == NULL) {
		free(f);
		close(fd);
		return -1;
	}
	f->generation = generation;
	f->kind = kind;
	f->fd = fd;
	TAILQ_INSERT_TAIL(&files, f, entry);
	return 0;
}

static struct file *
find(uint32_t generation, enum ipc_file kind, const char *name)
{
	struct file	*f;

	TAILQ_FOREACH(f, &files, entry)
		if (f->generation == generation && f->kind == kind &&
		    strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static int
read_passwd(const struct conf_auth *block, struct file *f, char *reason,
    size_t size)
{
	if (f == NULL) {
		strlcpy(reason, "a passwd file did not come", size);
		return -1;
	}
	if (f->passfile != NULL)
		return 0;
	f->passfile = passfile_load(f->fd, block->passwd, reason, size);
	close(f->fd);
	f->fd = -1;
	return f->passfile == NULL ? -1 : 0;
}

static int
read_keys(const struct conf_auth *block, struct file *f, char *reason,
    size_t size)
{
	if (f == NULL) {
		strlcpy(reason, "an oauth key file did not come", size);
		return -1;
	}
	if (f->keys == NULL)
		f->keys = jwks_load(f->fd, block->oauth.keys, reason, size);
	return f->keys == NULL ? -1 : 0;
}

static int
read_authority(const struct conf_auth *block, struct file *ca,
    const struct file *crl, char *reason, size_t size)
{
	if (ca == NULL || (crl == NULL && block->clients.crl != NULL)) {
		strlcpy(reason, "a client CA or CRL file did not come", size);
		return -1;
	}
	if (ca->authority == NULL)
		ca->authority = authority_load(ca->fd, block->clients.ca,
		    crl != NULL ? crl->fd : -1, block->clients.crl, reason,
		    size);
	return ca->authority == NULL ? -1 : 0;
}

static int
check_block(const struct conf_auth *block, uint32_t generation, char *reason,
    size_t size)
{
	if (block->passwd != NULL && read_passwd(block, find(generation,
	    FILE_PASSWD, block->name), reason, size) == -1)
		return -1;
	if (block->oauth.keys != NULL && read_keys(block, find(generation,
	    FILE_OAUTH_KEYS, block->name), reason, size) == -1)
		return -1;
	if (block->clients.ca != NULL && read_authority(block,
	    find(generation, FILE_CLIENT_CA, block->name), find(generation,
	    FILE_CLIENT_CRL, block->name), reason, size) == -1)
		return -1;
	return 0;
}

int
files_check(const struct conf *conf, uint32_t generation, char *reason,
    size_t size)
{
	const struct conf_auth	*block;

	TAILQ_FOREACH(block, &conf->auths, entry)
		if (check_block(block, generation, reason, size) == -1)
			return -1;
	return 0;
}

void
files_commit(uint32_t generation)
{
	struct file	*f, *next;

	current = generation;
	TAILQ_FOREACH_SAFE(f, &files, entry, next)
		if (f->generation != generation)
			file_free(f);
}

void
files_abort(uint32_t generation)
{
	struct file	*f, *next;

	TAILQ_FOREACH_SAFE(f, &files, entry, next)
		if (f->generation == generation)
			file_free(f);
}

struct passfile *
files_passfile(const char *block)
{
	struct file	*f = find(current, FILE_PASSWD, block);

	return f != NULL ? f->passfile : NULL;
}

struct jwks *
files_keys(const char *block)
{
	struct file	*f = find(current, FILE_OAUTH_KEYS, block);

	return f != NULL ? f->keys : NULL;
}

struct authority *
files_authority(const char *block)
{
	struct file	*f = find(current, FILE_CLIENT_CA, block);

	return f != NULL ? f->authority : NULL;
}
