#ifndef MSACTL_PICKED_H
#define MSACTL_PICKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * The messages that a command line selects: terms of common/selection.h, with
 * any number of ids. Many ids make more than one request: a batch each.
 */
struct picked {
	bool		 all;		/* "all" was said */
	bool		 input;		/* "-": ids from standard input */
	char		**terms;	/* "KEY VALUE"; none of them is an id */
	size_t		 nterms;
	uint64_t	*ids;
	size_t		 nids;
};

/* Queue id of text: hexadecimal digits, not all of them 0; 0: it is none. */
uint64_t picked_id_read(const char *);

/* Add a term or an id. These end the program when memory is out. */
void	 picked_term(struct picked *, const char *key, const char *value);
void	 picked_id(struct picked *, uint64_t);
/* Add ids that white space separates, to the end. -1: error says why. */
int	 picked_read(struct picked *, FILE *, char *error, size_t size);
/* Was anything selected? */
bool	 picked_any(const struct picked *);
/* Do the terms hold what selection_parse() takes? -1: error says why not. */
int	 picked_check(const struct picked *, char *error, size_t size);
/* Bring the ids into the order of the queue, each of them once. */
void	 picked_sort(struct picked *);
/*
 * The text of the next batch, malloc'd; NULL: there is none left. *pos is 0 at
 * first. Without ids there is one batch.
 */
char	*picked_batch(const struct picked *, size_t *pos);
void	 picked_free(struct picked *);

#endif
