/*
 * Where in the spool what is no message is kept: states of ids below
 * SPOOL_REGISTERS, which no message has. One line for each owner.
 */
#ifndef QUEUE_REGISTERS_H
#define QUEUE_REGISTERS_H

#include <stdint.h>

/* What is used of limits: rate_store.c; 98 of them with 1,024 keys each. */
#define REGISTER_RATES		UINT64_C(0x1000)
/* What an operator paused: pause.c, a key each. */
#define REGISTER_PAUSES		UINT64_C(0x2000)
/* Rules for mail still to come: rules.c, a key each. */
#define REGISTER_RULES		UINT64_C(0x2001)

/* States of a message that are none of a recipient. */
#define KEY_MESSAGE		UINT32_MAX		/* steering: mark.c */
#define KEY_HISTORY		(UINT32_MAX - 1)	/* history.c */

#endif
