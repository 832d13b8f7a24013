/*
 * Tables that an SQLite database serves. Part of msad-lookup. The file is read
 * through the descriptor that msad passed (vfs.c), never written. A query runs
 * to its end at once, but not for longer than STEP_MS; a database that a writer
 * holds is tried again until the query's time is over.
 *
 * The schema of the file may be anybody's: functions and virtual tables that
 * it names are not run, and no query writes.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"

#include "source.h"
#include "vfs.h"

#define STEP_MS		250	/* of one query's work */
#define STEP_OPS	1000	/* virtual machine steps between looks */
#define BUSY_MS		20	/* until a locked database is tried again */
#define LENGTH_MAX	(1024 * 1024)	/* of a row or a statement */

struct database {
	sqlite3		*db;
	sqlite3_stmt	*stmt;
	int64_t		 until;		/* of the query under way */
};

static int
on_progress(void *arg)
{
	const struct database	*d = arg;

	return lookup_now() >= d->until;
}

static void
database_close(struct database *d)
{
	sqlite3_finalize(d->stmt);
	sqlite3_close(d->db);
	d->stmt = NULL;
	d->db = NULL;
}

/* Open the file with all that it could do to us turned off. */
static int
open_file(struct database *d, int fd)
{
	char	name[VFS_NAME_MAX];
	int	rc;

	vfs_name(fd, name, sizeof(name));
	rc = sqlite3_open_v2(name, &d->db, SQLITE_OPEN_READONLY |
	    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, VFS_NAME);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_db_config(d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(d->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_limit(d->db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
	sqlite3_limit(d->db, SQLITE_LIMIT_SQL_LENGTH, LENGTH_MAX);
	sqlite3_limit(d->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_progress_handler(d->db, STEP_OPS, on_progress, d);
	return sqlite3_exec(d->db, "PRAGMA temp_store = MEMORY; "
	    "PRAGMA query_only = ON;", NULL, NULL, NULL);
}

/* SQLITE_OK, or why not; *why for what SQLite has no word for. */
static int
prepare(struct database *d, const struct source *s, const char **why)
{
	const char	*tail;
	int		 rc;

	*why = NULL;
	d->until = lookup_now() + STEP_MS;
	if (d->db == NULL && (rc = open_file(d, s->fd)) != SQLITE_OK) {
		*why = sqlite3_errstr(rc);
		database_close(d);
		return rc;
	}
	rc = sqlite3_prepare_v3(d->db, s->text, -1, SQLITE_PREPARE_PERSISTENT,
	    &d->stmt, &tail);
	if (rc != SQLITE_OK)
		return rc;
	if (d->stmt == NULL || tail[strspn(tail, " \t\r\n;")] != '\0')
		*why = "the query is not one statement";
	else if (!sqlite3_stmt_readonly(d->stmt) ||
	    sqlite3_column_count(d->stmt) < 1)
		*why = "the query does not read";
	else if (sqlite3_bind_parameter_count(d->stmt) != 1)
		*why = "the query has not one parameter, the ? for the login";
	if (*why == NULL)
		return SQLITE_OK;
	sqlite3_finalize(d->stmt);
	d->stmt = NULL;
	return SQLITE_MISUSE;
}

static int
sqlite_open(struct source *s, char *reason, size_t size)
{
	struct database	*d;
	const char	*why;
	int		 rc;

	if ((why = vfs_check(s->fd)) != NULL) {
		snprintf(reason, size, "table %s: %s", s->name, why);
		return -1;
	}
	if ((s->state = d = calloc(1, sizeof(*d))) == NULL) {
		snprintf(reason, size, "out of memory");
		return -1;
	}
	rc = prepare(d, s, &why);
	if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_INTERRUPT)
		return 0;
	snprintf(reason, size, "table %s: %s", s->name,
	    why != NULL ? why : sqlite3_errmsg(d->db));
	return -1;
}

static void
sqlite_close(struct source *s)
{
	database_close(s->state);
	free(s->state);
	s->state = NULL;
}

/* The rows of the answer. SQLITE_DONE, or why not; -1: the query is gone. */
static int
read_rows(struct database *d, struct query *q)
{
	const void	*p;
	int		 rc, n;

	d->until = lookup_now() + STEP_MS;
	if ((rc = sqlite3_bind_text(d->stmt, 1, q->login, -1,
	    SQLITE_STATIC)) != SQLITE_OK)
		return rc;
	while ((rc = sqlite3_step(d->stmt)) == SQLITE_ROW) {
		p = sqlite3_column_text(d->stmt, 0);
		n = sqlite3_column_bytes(d->stmt, 0);
		if (p != NULL && n > 0 &&
		    query_add(q, SLICE(p, (size_t)n)) == -1)
			return -1;
	}
	return rc;
}

static void
forget_rows(struct query *q)
{
	while (q->n > 0)
		free(q->values[--q->n]);
	q->octets = 0;
}

static void	 sqlite_start(struct query *);

static void
on_again(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	sqlite_start(arg);
}

static void
again(struct query *q)
{
	const struct timeval	tv = { 0, BUSY_MS * 1000 };

	if (!q->listed)
		event_assign(&q->again, child_base(), -1, 0, on_again, q);
	q->listed = true;
	event_add(&q->again, &tv);
}

static void
sqlite_start(struct query *q)
{
	struct database	*d = q->source->state;
	const char	*why = NULL;
	int		 rc = SQLITE_OK;

	if (d->stmt == NULL)
		rc = prepare(d, q->source, &why);
	if (rc == SQLITE_OK) {
		rc = read_rows(d, q);
		sqlite3_reset(d->stmt);
		sqlite3_clear_bindings(d->stmt);
	}
	if (rc == -1)
		return;
	if (rc == SQLITE_DONE) {
		query_done(q);
		return;
	}
	forget_rows(q);
	if ((rc & 0xff) == SQLITE_BUSY)
		again(q);
	else
		query_failed(q, why != NULL ? why : rc == SQLITE_INTERRUPT ?
		    "the query takes too long" : sqlite3_errmsg(d->db));
}

static void
sqlite_cancel(struct query *q, bool late)
{
	(void)late;
	if (q->listed)
		event_del(&q->again);
}

const struct backend sqlite_backend = {
	sqlite_open, sqlite_close, sqlite_start, sqlite_cancel
};
