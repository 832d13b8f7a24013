#ifndef COMMON_CONF_LEX_H
#define COMMON_CONF_LEX_H

#include <stddef.h>
#include <stdio.h>

#include "common/conf.h"

/*
 * Words out of configuration text: files, includes, macros, quoting. One
 * struct conf_lex per parse; everything it hands out lives until
 * conf_lex_free().
 */

#define CONF_NAME_MAX		64	/* octets of a name */
#define CONF_STRING_MAX		16384	/* octets of one string or macro */
#define CONF_TEXT_MAX		(4U << 20)	/* octets, macros expanded */
#define CONF_DEPTH_MAX		16	/* includes within includes */
#define CONF_ERRORS_MAX		100

enum conf_item {
	CONF_ITEM_EOF,
	CONF_ITEM_NEWLINE,	/* ends a statement; none within braces */
	CONF_ITEM_WORD,		/* bare word */
	CONF_ITEM_STRING,	/* quoted */
	CONF_ITEM_MACRO,	/* NAME before '='; '=' is taken too */
	CONF_ITEM_FILE,		/* file: */
	CONF_ITEM_SQLITE,	/* sqlite: */
	CONF_ITEM_LDAP,		/* ldap: */
	CONF_ITEM_PUNCT		/* one of { } , < > = */
};

struct conf_lex;

struct conf_lex *conf_lex_new(FILE *errors);
void	 conf_lex_free(struct conf_lex *);

/* A macro of the command line: it stands against the text's own. */
void	 conf_lex_preset(struct conf_lex *, const char *name,
	    const char *value);
/* Define a macro met in the text; an error when it is there already. */
void	 conf_lex_define(struct conf_lex *, const char *name,
	    const char *value);

/* Read from the file next, then go on here. Relative to the file here. */
void	 conf_lex_push_file(struct conf_lex *, const char *path);
/* Read from these octets, which must outlive the parse. Includes are barred. */
void	 conf_lex_push_text(struct conf_lex *, const char *text, size_t len,
	    const char *name);

/* The next item; *text is its text (PUNCT: its first octet) or NULL. */
enum conf_item conf_lex_next(struct conf_lex *, const char **text);

/* Report an error at the current item as "file:line: message". */
void	 conf_lex_error(struct conf_lex *, const char *fmt, ...)
	    __attribute__((__format__(printf, 2, 3)));
/* The same at a place kept from conf_lex_file() and conf_lex_line(). */
void	 conf_lex_error_at(struct conf_lex *, const char *file, int line,
	    const char *fmt, ...)
	    __attribute__((__format__(printf, 4, 5)));
unsigned int	 conf_lex_errors(const struct conf_lex *);
const char	*conf_lex_file(const struct conf_lex *);
int		 conf_lex_line(const struct conf_lex *);
/* The line as the comment before it says ("#:12"), which is used up then. */
int		 conf_lex_said_line(struct conf_lex *);

/* Memory that lasts as long as the parse; never NULL. */
void	*conf_lex_alloc(struct conf_lex *, size_t);

#endif
