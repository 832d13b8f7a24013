#ifndef FRONTEND_DATA_H
#define FRONTEND_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/* Octets of a text line without CRLF: what passes, and where we stop. */
#define DATA_LINE_MAX	998
#define DATA_LINE_STOP	65536

/* What is wrong with the message so far. */
#define DATA_BARE_CR	0x01
#define DATA_BARE_LF	0x02
#define DATA_NUL	0x04
#define DATA_LONG	0x08	/* a line over DATA_LINE_MAX */
#define DATA_STOP	0x10	/* a line over DATA_LINE_STOP or line_stop */

enum data_state {
	DATA_START = 0,		/* behind CRLF */
	DATA_TEXT,
	DATA_CR,		/* behind a CR of the text */
	DATA_DOT,		/* behind the dot that began a line */
	DATA_DOT_CR,
	DATA_END
};

/* Begin with {0}, line_stop maybe: the CRLF of the DATA command counts. */
struct data {
	enum data_state	 state;
	unsigned int	 faults;	/* DATA_* */
	uint64_t	 line;		/* octets of this line so far */
	uint64_t	 size;		/* decoded octets so far */
	uint64_t	 line_stop;	/* less than DATA_LINE_STOP, or 0 */
};

#define DATA_SLICES	64

/* Decoded octets, in order; they point into the input. */
struct data_run {
	struct slice	 slices[DATA_SLICES];
	size_t		 n;
	size_t		 octets;
};

/*
 * Decode the octets that come behind 354 (RFC 5321 sections 4.1.1.4, 4.5.2).
 * Takes as much of in as fits into run and returns how much; stops behind
 * CRLF.CRLF with state DATA_END. How the input is split changes nothing.
 */
size_t	 data_decode(struct data *, struct slice in, struct data_run *);
/*
 * The octets of a chunk of BDAT (RFC 3030): as they are, dots too, with the
 * same faults. All of in is taken. Do not mix with data_decode().
 */
void	 data_chunk(struct data *, struct slice in, struct data_run *);
/*
 * All chunks are read: sets DATA_END. True when the last line does not end in
 * CRLF.
 */
bool	 data_chunk_end(struct data *);
/* A word for the reply on the faults, or NULL when there are none. */
const char *data_fault(unsigned int faults);

#endif
