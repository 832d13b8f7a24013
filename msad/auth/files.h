#ifndef AUTH_FILES_H
#define AUTH_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "common/ipc_types.h"
#include "common/slice.h"

struct authority;
struct conf;
struct jwks;
struct passfile;

/*
 * The files that auth blocks name, as msad hands them over with a generation
 * of the configuration: kept until it is checked, read then, used from its
 * commit on.
 */

/* PROC_FILE; owns fd. 0 or -1. */
int	 files_take(uint32_t generation, enum ipc_file, struct slice name,
	    int fd);
/* Read those of the generation. 0, or -1 with a reason. */
int	 files_check(const struct conf *, uint32_t generation, char *reason,
	    size_t size);
/* They are the ones that count from now on; those of older ones go. */
void	 files_commit(uint32_t generation);
/* The generation is not to be; all that came for it goes. */
void	 files_abort(uint32_t generation);
/* The verifiers of a block in the committed generation; NULL: it has none. */
struct passfile *files_passfile(const char *block);

/* Likewise, the keys of tokens and the authority of client certificates. */
struct jwks *files_keys(const char *block);
struct authority *files_authority(const char *block);

#endif
