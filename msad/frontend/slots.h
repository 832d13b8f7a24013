#ifndef FRONTEND_SLOTS_H
#define FRONTEND_SLOTS_H

#include <stddef.h>

#define SLOT_MIN	3072	/* what is smaller is malloc's */
#define SLOT_SMALL	8192	/* an SSL object is 7,616 */
#define SLOT_LARGE	24576	/* OpenSSL's handshake buffer is 21,848 */

/* Set the arenas aside. 0, or -1: the functions below are malloc's then. */
int	 slots_init(void);
/*
 * As malloc, realloc and free. Memory from slots_malloc() or slots_realloc()
 * is for slots_free() alone. Its content is not wiped.
 */
void	*slots_malloc(size_t);
void	*slots_realloc(void *, size_t);
void	 slots_free(void *);
/* Slots in use, for tests. */
size_t	 slots_used(void);

#endif
