#ifndef COMMON_CONF_TABLE_H
#define COMMON_CONF_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "common/conf.h"

struct conf_build;
struct conf_list;

/* Is the table served by msad-lookup, not held by the queue? */
bool	 conf_table_remote(const struct conf_table *);

/* Grammar: the table under way is of this kind; its options follow. */
void	 conf_table_db(struct conf_build *, enum conf_table_kind);
void	 conf_table_url(struct conf_build *, const char *url);
void	 conf_table_option(struct conf_build *, const char *word,
	    const char *value);
void	 conf_table_end(struct conf_build *);
void	 conf_build_subaddress(struct conf_build *, const char *separators);
void	 conf_build_local_part(struct conf_build *, const char *word);
/* The words behind `except` of the rule under way. */
void	 conf_build_except(struct conf_build *, const struct conf_list *);

/* The canonical text; of a table what follows its name. */
void	 conf_table_print(FILE *, const struct conf_table *);
void	 conf_rights_print(FILE *, const struct conf *);
void	 conf_except_print(FILE *, const struct conf_match *);
/* Free what a table of a database has. */
void	 conf_table_clear(struct conf_table *);

#endif
