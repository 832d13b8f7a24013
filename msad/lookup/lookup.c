/*
 * msad-lookup: asks databases what a login may send as, for msad-queue. It runs
 * as _msadl in an empty root, may connect to the addresses of LDAP servers and
 * read the SQLite files whose descriptors msad passed, and holds nothing else:
 * the libraries that parse what servers and files say are linked here alone.
 *
 * A question is a table and a login; its answer is bounded in size and comes
 * within QUERY_MS, or is that it cannot be told now. Questions run beside each
 * other. Trusted: msad, and msad-queue for what it asks. What databases answer
 * is what the operator made them say, but its form is checked like any octets
 * from outside.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <errno.h>
#include <event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/conf_table.h"
#include "common/log.h"

#include "prepare.h"
#include "source.h"

#define PASSWORD_MAX	1024
#define QUERIES_MAX	1024	/* the queue asks for fewer */

TAILQ_HEAD(source_list, source);

/* A file of the generation under preparation. */
struct file {
	TAILQ_ENTRY(file)	 entry;
	enum ipc_file		 kind;
	char			*name;
	int			 fd;
};

static struct source_list	 sources = TAILQ_HEAD_INITIALIZER(sources);
static struct source_list	 next = TAILQ_HEAD_INITIALIZER(next);
static TAILQ_HEAD(, file)	 files = TAILQ_HEAD_INITIALIZER(files);
static struct query_list	 queries = TAILQ_HEAD_INITIALIZER(queries);
static unsigned int		 nqueries;
static struct ipc		*queue;
static uint32_t			 current;	/* generation */

int64_t
lookup_now(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- answers --- */

static void
answer_failed(uint64_t id, uint8_t status, const char *reason)
{
	char	cut[200];

	if (queue == NULL)
		return;
	strlcpy(cut, reason, sizeof(cut));
	ipc_start(queue, IPC_LOOKUP_ANSWER, id);
	ipc_put_u8(queue, status);
	ipc_put_str(queue, cut);
	ipc_put_u16(queue, 0);
	ipc_send(queue);
}

static void
query_free(struct query *q)
{
	size_t	i;

	TAILQ_REMOVE(&queries, q, entry);
	nqueries--;
	event_del(&q->deadline);
	for (i = 0; i < q->n; i++)
		free(q->values[i]);
	free(q->login);
	free(q);
}

void
query_failed(struct query *q, const char *reason)
{
	answer_failed(q->id, 1, reason);
	query_free(q);
}

void
query_unfit(struct query *q, const char *reason)
{
	answer_failed(q->id, 2, reason);
	query_free(q);
}

void
query_done(struct query *q)
{
	size_t	i;

	if (queue != NULL) {
		ipc_start(queue, IPC_LOOKUP_ANSWER, q->id);
		ipc_put_u8(queue, 0);
		ipc_put_str(queue, "");
		ipc_put_u16(queue, (uint16_t)q->n);
		for (i = 0; i < q->n; i++)
			ipc_put_str(queue, q->values[i]);
		ipc_send(queue);
	}
	query_free(q);
}

int
query_add(struct query *q, struct slice s)
{
	/* An address is never that long: it could not be one. */
	if (s.len == 0 || s.len > LOOKUP_VALUE_MAX ||
	    memchr(s.p, '\0', s.len) != NULL)
		return 0;
	if (q->n == LOOKUP_VALUES_MAX ||
	    q->octets + s.len + 2 > VALUES_OCTETS) {
		query_unfit(q, "more values than an answer holds");
		return -1;
	}
	if ((q->values[q->n] = strndup(s.p, s.len)) == NULL) {
		query_failed(q, "out of memory");
		return -1;
	}
	q->n++;
	q->octets += s.len + 2;
	return 0;
}

static void
on_deadline(int fd, short what, void *arg)
{
	struct query	*q = arg;

	(void)fd;
	(void)what;
	q->source->backend->cancel(q, true);
	query_failed(q, "the database did not answer in time");
}

/* --- questions --- */

static struct source *
source_find(struct slice name)
{
	struct source	*s;

	TAILQ_FOREACH(s, &sources, entry)
		if (slice_is(name, s->name))
			return s;
	return NULL;
}

static void
begin(struct source *s, uint64_t id, struct slice login)
{
	const struct timeval	 tv = { QUERY_MS / 1000, 0 };
	struct query		*q;

	if (nqueries >= QUERIES_MAX || (q = calloc(1, sizeof(*q))) == NULL) {
		answer_failed(id, 1, "too many questions");
		return;
	}
	q->source = s;
	q->id = id;
	TAILQ_INSERT_TAIL(&queries, q, entry);
	nqueries++;
	event_assign(&q->deadline, child_base(), -1, 0, on_deadline, q);
	event_add(&q->deadline, &tv);
	if ((q->login = strndup(login.p, login.len)) == NULL)
		query_failed(q, "out of memory");
	else
		s->backend->start(q);
}

static int
on_lookup(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct source		*s;
	struct slice		 table, login;
	uint32_t		 generation;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	generation = ipc_get_u32(&r);
	table = ipc_get_str(&r);
	login = ipc_get_str(&r);
	if (!ipc_done(&r) || login.len == 0)
		return -1;
	if (generation != current)
		answer_failed(msg->sid, 1, "the configuration changes");
	else if ((s = source_find(table)) == NULL)
		answer_failed(msg->sid, 1, "no such table");
	else
		begin(s, msg->sid, login);
	return 0;
}

static const struct ipc_handler queue_handlers[] = {
	{ IPC_LOOKUP, on_lookup },
	{ 0, NULL }
};

static void
drop_queries(const char *reason)
{
	struct query	*q;

	while ((q = TAILQ_FIRST(&queries)) != NULL) {
		q->source->backend->cancel(q, false);
		query_failed(q, reason);
	}
}

/* Without the queue there is nothing to do: msad starts this afresh. */
static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	if (end == IPC_VIOLATION)
		log_err("event=channel-violation peer=queue");
	ipc_free(ch);
	queue = NULL;
	drop_queries("");
	child_exit(1);
}

static int
lookup_channel(enum ipc_role peer, uint32_t index, uint64_t epoch,
    struct slice name, int fd)
{
	(void)name;
	if (peer != ROLE_QUEUE || queue != NULL) {
		close(fd);
		return -1;
	}
	queue = ipc_new(fd, ROLE_LOOKUP, peer, queue_handlers, on_closed,
	    NULL);
	if (queue == NULL) {
		close(fd);
		return -1;
	}
	ipc_set_peer(queue, index, epoch);
	return 0;
}

/* --- configuration --- */

static void
source_free(struct source *s)
{
	if (s->state != NULL)
		s->backend->close(s);
	if (s->fd != -1)
		close(s->fd);
	free(s->name);
	free(s->text);
	free(s->base);
	free(s->attribute);
	free(s->bind_dn);
	if (s->password != NULL)
		freezero(s->password, strlen(s->password));
	free(s);
}

static void
sources_free(struct source_list *list)
{
	struct source	*s;

	while ((s = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, s, entry);
		source_free(s);
	}
}

static void
files_free(void)
{
	struct file	*f;

	while ((f = TAILQ_FIRST(&files)) != NULL) {
		TAILQ_REMOVE(&files, f, entry);
		if (f->fd != -1)
			close(f->fd);
		free(f->name);
		free(f);
	}
}

static int
lookup_conf_file(uint32_t generation, enum ipc_file kind, struct slice name,
    int fd)
{
	struct file	*f;

	(void)generation;
	if ((kind != FILE_TABLE_DB && kind != FILE_TABLE_PASSWORD) ||
	    (f = calloc(1, sizeof(*f))) == NULL) {
		close(fd);
		return -1;
	}
	f->kind = kind;
	f->fd = fd;
	f->name = strndup(name.p, name.len);
	TAILQ_INSERT_TAIL(&files, f, entry);
	return 0;
}

/* The file of this kind and table, the caller's now; -1: there is none. */
static int
take_file(enum ipc_file kind, const char *name)
{
	struct file	*f;
	int		 fd;

	TAILQ_FOREACH(f, &files, entry)
		if (f->kind == kind && f->name != NULL &&
		    strcmp(f->name, name) == 0) {
			fd = f->fd;
			f->fd = -1;
			return fd;
		}
	return -1;
}

/* The first line of a password file. 0 or -1. */
static int
read_password(struct source *s, int fd)
{
	char	buf[PASSWORD_MAX + 1];
	ssize_t	n;

	n = pread(fd, buf, sizeof(buf) - 1, 0);
	close(fd);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	buf[strcspn(buf, "\r\n")] = '\0';
	s->password = buf[0] != '\0' ? strdup(buf) : NULL;
	explicit_bzero(buf, sizeof(buf));
	return s->password != NULL ? 0 : -1;
}

static char *
copy(const char *s)
{
	char	*p;

	if (s == NULL)
		return NULL;
	if ((p = strdup(s)) == NULL)
		fatal("event=lookup error=\"out of memory\"");
	return p;
}

static int
source_new(const struct conf_table *t, char *reason, size_t size)
{
	struct source	*s;
	int		 fd;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		fatal("event=lookup error=\"out of memory\"");
	TAILQ_INSERT_TAIL(&next, s, entry);
	s->fd = -1;
	s->name = copy(t->name);
	s->backend = t->kind == CONF_TABLE_SQLITE ? &sqlite_backend :
	    &ldap_backend;
	s->text = copy(t->kind == CONF_TABLE_SQLITE ? t->query : t->filter);
	s->base = copy(t->base);
	s->attribute = copy(t->attribute);
	s->bind_dn = copy(t->bind_dn);
	memcpy(&s->addr, &t->addr, sizeof(s->addr));
	s->addrlen = t->addrlen;
	if (t->kind == CONF_TABLE_SQLITE &&
	    (s->fd = take_file(FILE_TABLE_DB, t->name)) == -1) {
		snprintf(reason, size, "table %s: the file was not passed",
		    t->name);
		return -1;
	}
	if (t->password_file != NULL &&
	    ((fd = take_file(FILE_TABLE_PASSWORD, t->name)) == -1 ||
	    read_password(s, fd) == -1)) {
		snprintf(reason, size, "table %s: no password in %s", t->name,
		    t->password_file);
		return -1;
	}
	return s->backend->open(s, reason, size);
}

static int
lookup_conf_check(struct conf *conf, uint32_t generation, char *reason,
    size_t size)
{
	const struct conf_table	*t;

	(void)generation;
	sources_free(&next);
	TAILQ_FOREACH(t, &conf->tables, entry)
		if (conf_table_remote(t) &&
		    source_new(t, reason, size) == -1) {
			files_free();
			return -1;
		}
	files_free();
	return 0;
}

static void
lookup_conf_commit(struct conf *conf, uint32_t generation)
{
	(void)conf;
	drop_queries("the configuration changes");
	sources_free(&sources);
	TAILQ_CONCAT(&sources, &next, entry);
	current = generation;
}

static void
lookup_conf_abort(uint32_t generation)
{
	(void)generation;
	files_free();
	sources_free(&next);
}

static const struct child lookup_child = {
	.role = ROLE_LOOKUP,
	.name = "lookup",
	.early = lookup_prepare,
	.conf_file = lookup_conf_file,
	.conf_check = lookup_conf_check,
	.conf_commit = lookup_conf_commit,
	.conf_abort = lookup_conf_abort,
	.channel = lookup_channel,
};

int
main(int argc, char **argv)
{
	return child_main(&lookup_child, argc, argv);
}
