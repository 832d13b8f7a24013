/*
 * What children may have of the file system: msad opens it here and passes
 * descriptors. Also the directories that become roots, and a generation of
 * the configuration with all that was opened for it.
 *
 * Files stay open for as long as their generation holds, so that a worker that
 * is started again gets what its peers have, whatever was put in the file's
 * place since. Each process gets a file position of its own.
 */

#include <sys/types.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "common/conf.h"
#include "common/conf_table.h"
#include "common/memfile.h"
#include "msad/parent/files.h"
#include "msad/parent/process.h"

#define HOSTS_PATH	"/etc/hosts"
#define RESOLV_PATH	"/etc/resolv.conf"

struct generation *
generation_new(uint32_t number, struct conf *conf)
{
	struct generation	*gen;

	if ((gen = calloc(1, sizeof(*gen))) == NULL ||
	    (gen->text = conf_print(conf)) == NULL) {
		free(gen);
		conf_free(conf);
		return NULL;
	}
	gen->number = number;
	gen->conf = conf;
	TAILQ_INIT(&gen->files);
	TAILQ_INIT(&gen->listeners);
	return gen;
}

static void
file_free(struct file *f)
{
	if (f->fd != -1)
		close(f->fd);
	free(f->name);
	free(f->path);
	free(f);
}

void
generation_free(struct generation *gen, const struct generation *keep)
{
	struct file	*f;

	if (gen == NULL)
		return;
	while ((f = TAILQ_FIRST(&gen->files)) != NULL) {
		TAILQ_REMOVE(&gen->files, f, entry);
		file_free(f);
	}
	listeners_close(gen, keep);
	conf_free(gen->conf);
	free(gen->text);
	free(gen);
}

/*
 * Open a regular file for reading. Symbolic links are followed, as certificate
 * tools live on them; what counts is the file's own owner and mode. A secret
 * belongs to root and is for its owner alone; any other may be read by all
 * but written by its owner only.
 */
static int
open_checked(const char *path, bool secret, FILE *errors)
{
	struct stat	 st;
	int		 fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 || fstat(fd, &st) == -1) {
		fprintf(errors, "%s: %s\n", path, strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		fprintf(errors, "%s: not a regular file\n", path);
	else if (secret && st.st_uid != 0)
		fprintf(errors, "%s: a secret must belong to root\n", path);
	else if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		fprintf(errors, "%s: a secret must not be accessible to group "
		    "or others (mode %03o)\n", path,
		    (unsigned int)(st.st_mode & 0777));
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		fprintf(errors, "%s: must not be writable by group or others "
		    "(mode %03o)\n", path, (unsigned int)(st.st_mode & 0777));
	else
		return fd;
	close(fd);
	return -1;
}

static int
add(struct generation *gen, enum ipc_file kind, enum ipc_role role,
    const char *name, const char *path, FILE *errors)
{
	struct file	*f;
	bool		 secret = kind == FILE_PKI_KEY ||
	    kind == FILE_PASSWD || kind == FILE_TABLE_PASSWORD;
	struct conf_table *t;

	if (kind == FILE_TABLE && (t = conf_table_find(gen->conf, name)) !=
	    NULL && t->secret)
		secret = true;
	if ((f = calloc(1, sizeof(*f))) == NULL) {
		fprintf(errors, "out of memory\n");
		return -1;
	}
	f->kind = kind;
	f->role = role;
	f->name = strdup(name);
	f->path = strdup(path);
	f->fd = open_checked(path, secret, errors);
	if (f->fd == -1 || f->name == NULL || f->path == NULL) {
		file_free(f);
		return -1;
	}
	TAILQ_INSERT_TAIL(&gen->files, f, entry);
	return 0;
}

/* The bundle of authorities that the system trusts. */
static const char *
system_ca(void)
{
	static const char *const	 paths[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem"
	};
	size_t	 i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (access(paths[i], R_OK) == 0)
			return paths[i];
	return paths[0];
}

/* These two may be absent; the resolver then does without. */
static int
add_resolver(struct generation *gen, FILE *errors)
{
	int	 bad = 0;

	if (access(HOSTS_PATH, R_OK) == 0)
		bad |= add(gen, FILE_HOSTS, ROLE_RESOLVER, "", HOSTS_PATH,
		    errors);
	if (access(RESOLV_PATH, R_OK) == 0)
		bad |= add(gen, FILE_RESOLV, ROLE_RESOLVER, "", RESOLV_PATH,
		    errors);
	return bad;
}

static int
add_table(struct generation *gen, const struct conf_table *t, FILE *errors)
{
	int	 bad = 0;

	if (t->path != NULL && conf_table_remote(t))
		bad = add(gen, FILE_TABLE_DB, ROLE_LOOKUP, t->name, t->path,
		    errors);
	else if (t->path != NULL)
		bad = add(gen, FILE_TABLE, ROLE_QUEUE, t->name, t->path,
		    errors);
	if (t->password_file != NULL)
		bad |= add(gen, FILE_TABLE_PASSWORD, ROLE_LOOKUP, t->name,
		    t->password_file, errors);
	return bad;
}

static int
add_auth(struct generation *gen, const struct conf_auth *a, FILE *errors)
{
	int	 bad = 0;

	if (a->passwd != NULL)
		bad |= add(gen, FILE_PASSWD, ROLE_AUTH, a->name, a->passwd,
		    errors);
	if (a->oauth.keys != NULL)
		bad |= add(gen, FILE_OAUTH_KEYS, ROLE_AUTH, a->name,
		    a->oauth.keys, errors);
	if (a->clients.ca != NULL) {
		bad |= add(gen, FILE_CLIENT_CA, ROLE_AUTH, a->name,
		    a->clients.ca, errors);
		bad |= add(gen, FILE_CLIENT_CA, ROLE_FRONTEND, a->name,
		    a->clients.ca, errors);
	}
	if (a->clients.crl != NULL)
		bad |= add(gen, FILE_CLIENT_CRL, ROLE_AUTH, a->name,
		    a->clients.crl, errors);
	return bad;
}

int
files_open(struct generation *gen, FILE *errors)
{
	const struct conf_pki	*pki;
	const struct conf_table	*t;
	const struct conf_relay	*relay;
	const struct conf_auth	*auth;
	int			 bad = 0;

	TAILQ_FOREACH(auth, &gen->conf->auths, entry)
		bad |= add_auth(gen, auth, errors);
	TAILQ_FOREACH(pki, &gen->conf->pkis, entry) {
		bad |= add(gen, FILE_PKI_CERT, ROLE_FRONTEND, pki->name,
		    pki->cert, errors);
		bad |= add(gen, FILE_PKI_KEY, ROLE_KEYS, pki->name, pki->key,
		    errors);
	}
	TAILQ_FOREACH(t, &gen->conf->tables, entry)
		bad |= add_table(gen, t, errors);
	TAILQ_FOREACH(relay, &gen->conf->relays, entry)
		if (relay->kind == CONF_RELAY_HOST && relay->verify)
			bad |= add(gen, FILE_RELAY_CA, ROLE_RELAY, relay->name,
			    relay->ca != NULL ? relay->ca : system_ca(),
			    errors);
	return bad | add_resolver(gen, errors) ? -1 : 0;
}

int
files_reopen(const struct file *f)
{
	const int	 flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	char		 path[64];
	int		 fd;

	/* The open file itself, even where another took its name. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	if ((fd = open(path, flags)) == -1)
		fd = open(f->path, flags);
	return fd;
}

int
files_text(const struct generation *gen)
{
	size_t	 len = strlen(gen->text), off = 0;
	ssize_t	 n;
	int	 fd;

	if ((fd = memfile_new("msad-conf", "/tmp")) == -1)
		return -1;
	while (off < len) {
		n = write(fd, gen->text + off, len - off);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		off += (size_t)n;
	}
	if (off < len || lseek(fd, 0, SEEK_SET) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

int
files_check_conf(const char *path, FILE *errors)
{
	struct stat	 st;

	if (stat(path, &st) == -1)
		fprintf(errors, "%s: %s\n", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		fprintf(errors, "%s: not a regular file\n", path);
	else if (st.st_uid != 0 && st.st_uid != getuid())
		fprintf(errors, "%s: must belong to root\n", path);
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		fprintf(errors, "%s: must not be writable by group or others\n",
		    path);
	else
		return 0;
	return -1;
}

int
files_directory(const char *path, uid_t uid, gid_t gid, mode_t mode,
    mode_t allowed, FILE *errors)
{
	struct stat	 st;
	bool		 made;
	int		 fd;

	made = mkdir(path, 0700) == 0;
	if (!made && errno != EEXIST) {
		fprintf(errors, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (made && (fchown(fd, uid, gid) == -1 ||
	    fchmod(fd, mode) == -1)) || fstat(fd, &st) == -1) {
		fprintf(errors, "%s: %s\n", path, strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	close(fd);
	if (st.st_uid == uid && (st.st_mode & 0777 & ~allowed) == 0)
		return 0;
	fprintf(errors, "%s: must be a directory of user id %u with mode %03o "
	    "or less\n", path, (unsigned int)uid, (unsigned int)allowed);
	return -1;
}

/* The directory above path, in buf. */
static const char *
above(const char *path, char *buf, size_t size)
{
	char	*slash;

	if (strlcpy(buf, path, size) >= size ||
	    (slash = strrchr(buf, '/')) == NULL || slash == buf)
		return "/";
	*slash = '\0';
	return buf;
}

int
files_roots(const struct generation *gen, FILE *errors)
{
	const struct conf_relay	*relay;
	char			 dir[1024];
	int			 bad;

	/* MSAD_EMPTY is two levels below what every system has */
	bad = files_directory(above(MSAD_EMPTY, dir, sizeof(dir)), 0, 0, 0755,
	    0755, errors);
	bad |= files_directory(MSAD_EMPTY, 0, 0, 0755, 0755, errors);
	bad |= files_directory(gen->conf->spool, users_uid(ROLE_QUEUE),
	    users_gid(ROLE_QUEUE), 0700, 0700, errors);
	TAILQ_FOREACH(relay, &gen->conf->relays, entry)
		if (relay->kind == CONF_RELAY_MAILDIR)
			bad |= files_directory(relay->maildir,
			    users_uid(ROLE_RELAY), users_gid(ROLE_RELAY), 0700,
			    0777, errors);
	return bad;
}
