#ifndef QUEUE_TABLES_H
#define QUEUE_TABLES_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/slice.h"

#include "form.h"

/* Bounds of a table of senders or of secrets. */
#define TABLE_FILE_MAX	(64 * 1024 * 1024)	/* octets */
#define TABLE_LINE_MAX	65536

/*
 * The tables of one configuration generation, parsed and hashed: senders
 * (login: address, @domain, ...) and secrets (label: user password).
 */
struct tables;

/* A table whose file msad passed, before its kind is known. */
struct table_file {
	TAILQ_ENTRY(table_file)	 entry;
	char			*name;
	char			*text;		/* may hold secrets */
	size_t			 len;
};
TAILQ_HEAD(table_files, table_file);

/* Read fd (closed here) as the file of this table. 0, or -1 with errno. */
int	 table_file_read(struct table_files *, struct slice name, int fd);
/* Free all of them, wiping their text. */
void	 table_files_free(struct table_files *);

/*
 * Parse all tables of conf, inline ones and those in files. NULL with a reason
 * "file:line: message" when one is wrong. The files are not needed afterwards.
 */
struct tables *tables_load(const struct conf *, const struct table_files *,
    char *reason, size_t size);
void	 tables_free(struct tables *);

/* How its generation compares addresses. */
const struct form_rules *tables_rules(const struct tables *);
/*
 * May this login write as this address, by that table? An address that any
 * table of senders lists counts as itself alone, not as a sub-address.
 */
bool	 tables_sender(const struct tables *, const char *table,
    struct slice login, const struct forms *);
/* Is this a table that a database serves (lookup.h)? */
bool	 tables_remote(const struct tables *, const char *table);
/* Does any of the tables list this very address, to whomsoever? */
bool	 tables_listed(const struct tables *, const struct forms *);
/* User and password behind a label. False when there is no such label. */
bool	 tables_secret(const struct tables *, const char *table,
    const char *label, struct slice *user, struct slice *password);

/*
 * The row parsers, for the tests as well: one line without its line feed.
 * add is called for each pair. 1: a row, 0: blank or comment, -1: wrong.
 */
typedef int	(*table_add)(void *, struct slice key, struct slice value);
int	 table_row_senders(const struct form_rules *, struct slice line,
    table_add, void *, const char **reason);
int	 table_row_secret(struct slice line, struct slice *label,
    struct slice *user, struct slice *password, const char **reason);

#endif
