#ifndef COMMON_VERDICT_H
#define COMMON_VERDICT_H

/*
 * What the queue decides on a question of a front-end, and what auth decides
 * on a login. The front-end's reply table (frontend/reply.c) turns a verdict
 * into code, enhanced code and sentence; a detail text may come along.
 */
enum verdict {
	VERDICT_OK = 0,
	VERDICT_TROUBLE,		/* 451 4.3.0: local trouble */
	VERDICT_NO_SPACE,		/* 452 4.3.1 */
	VERDICT_NO_GRANT,		/* 530 5.7.0: no login */
	VERDICT_SENDER_DENIED,		/* 550 5.7.1: not its address */
	VERDICT_RCPT_DENIED,		/* 550 5.7.1 */
	VERDICT_NO_ROUTE,		/* 550 5.7.1: no match rule takes it */
	VERDICT_BAD_SENDER,		/* 501 5.1.7 */
	VERDICT_BAD_RCPT,		/* 501 5.1.3 */
	VERDICT_TOO_MANY_RCPTS,		/* 452 4.5.3 */
	VERDICT_TOO_BIG,		/* 552 5.3.4 */
	VERDICT_MALFORMED,		/* 554 5.6.0: detail says what */
	VERDICT_LOOP,			/* 554 5.4.6 */
	VERDICT_SEQUENCE,		/* 503 5.5.1 */

	VERDICT_FROM_DENIED,		/* 550 5.7.1: From; detail says why */

	VERDICT_AUTH_FAILED,		/* 535 5.7.8 */
	VERDICT_AUTH_BUSY,		/* 454 4.7.0 */
	VERDICT_AUTH_DISABLED,		/* 525 5.7.13: account checks said no */
	VERDICT_AUTH_CANCELLED,		/* 501 5.7.0 */
	VERDICT_AUTH_BASE64,		/* 501 5.5.2 */
	VERDICT_AUTH_MECHANISM,		/* 504 5.5.4 */
	VERDICT_AUTH_WEAK,		/* 534 5.7.9: mechanism too weak */
	VERDICT_AUTH_EXPIRED,		/* 535 5.7.8: the password expired */
	VERDICT_AUTH_LAST,		/* 535 5.7.8, then 421 4.7.0, close */
	VERDICT_RATE,			/* 450 4.7.1: detail says until when */
	VERDICT_PAUSED,			/* 451 4.3.0: by the operator */
	VERDICT_RULE,			/* 550 5.7.1: a rule; detail: why */
	VERDICT_HELD_QUOTA,		/* 552 5.7.16: too many held */
	VERDICT_PRIORITY_SIZE,		/* 552 5.7.16: detail: at most */
	VERDICT_PRIORITY_LATER,		/* 450 4.7.15: below the floor now */
	VERDICT_PRIORITY_FLOOR,		/* 550 5.7.15 */
	VERDICT_PRIORITY_CHANGED,	/* 250 2.3.6, MAIL: detail: to what */
	VERDICT_QUEUE_FULL,		/* 452 4.3.1: tenant's queue limit */
	VERDICT_BAD_PARAMETER,		/* 501 5.5.4: no longer offered so */
	VERDICT_MAX
};

#endif
