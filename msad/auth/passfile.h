#ifndef AUTH_PASSFILE_H
#define AUTH_PASSFILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"
#include "msad/auth/credential.h"
#include "msad/auth/scram.h"

#define PASSFILE_SIZE_MAX	(64 * 1024 * 1024)	/* octets */
#define PASSFILE_LINES_MAX	1000000
#define PASSFILE_LABELS_MAX	64	/* entries of one user */

/*
 * The passwd file of an auth block (msad-passwd(5)): verifiers by user. Counted
 * references, as auth blocks share it and a reload may bring another one.
 */
struct passfile {
	unsigned int		 refs;
	struct credential	**list;		/* by user, then in order */
	size_t			 n;
	struct credential	*dummy;		/* of a user who is not there */
	uint8_t			 fake_key[32];	/* of salts of such users */
	/*
	 * Iterations and salt lengths of the file's verifiers, in order, for
	 * each enum scram_hash: from them come those of such users.
	 */
	uint32_t		*costs[2];
	size_t			 ncosts[2];
};

/*
 * Read fd, which stays open; path is for messages. NULL with
 * "path:line: reason" in reason.
 */
struct passfile *passfile_load(int fd, const char *path, char *reason,
	    size_t size);
struct passfile *passfile_ref(struct passfile *);
void	 passfile_release(struct passfile *);
/*
 * The credentials of a user, n of them from *first on. The name is taken in
 * its SASLprep form. 0: the file does not have the user.
 */
size_t	 passfile_find(const struct passfile *, struct slice user,
	    struct credential *const **first);
/*
 * What SCRAM tells about a user who is not there: always the same for a name,
 * and no different from what it tells of others. Iterations are as frequent
 * over all names as they are in the file.
 */
void	 passfile_fake(const struct passfile *, enum scram_hash,
	    struct slice user, struct scram_verifier *);

#endif
