/*
 * Which extensions with parameters of MAIL a session offers, what EHLO says of
 * them and what is wrong with parameters that their grammar allows. Part of the
 * front-end; smtp.c calls. All of it is a service to the client: the queue
 * decides on what it is asked, by the same rules (common/conf_ext.c).
 */
#include <stdio.h>
#include <time.h>

#include "common/child.h"
#include "common/conf.h"
#include "msad/frontend/extension.h"

/* What every session offers; AUTH= is always taken. */
#define EXT_ALWAYS	(EXT_SIZE | EXT_8BITMIME | EXT_AUTH | EXT_DSN | \
			    EXT_SMTPUTF8)

/*
 * With BINARYMIME unless conversion is off: what is binary is converted here
 * (RFC 3030 section 3).
 */
unsigned int
extension_offered(const struct session *s)
{
	return EXT_ALWAYS | (child_conf()->convert_off ? 0 : EXT_BINARYMIME) |
	    conf_ext_offered(&child_conf()->ext, s->set->port);
}

/* The time so many seconds ahead as RFC 3339 has it. */
static void
date_ahead(uint64_t seconds, char *buf, size_t size)
{
	time_t		t = time(NULL) + (time_t)seconds;
	struct tm	tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		strlcpy(buf, "2099-12-31T23:59:59Z", size);
}

void
extension_lines(const struct session *s, char *buf)
{
	const struct conf_ext	*e = &child_conf()->ext;
	unsigned int		 offered = extension_offered(s);
	char			 future[96] = "", by[48] = "";
	char			 priority[48] = "", date[40];

	if (offered & EXT_FUTURERELEASE) {
		date_ahead(e->future_max, date, sizeof(date));
		snprintf(future, sizeof(future), "250-FUTURERELEASE %llu "
		    "%s\r\n", (unsigned long long)e->future_max, date);
	}
	if (offered & EXT_DELIVERBY) {
		if (e->by_min == 0)
			strlcpy(by, "250-DELIVERBY\r\n", sizeof(by));
		else
			snprintf(by, sizeof(by), "250-DELIVERBY %llu\r\n",
			    (unsigned long long)e->by_min);
	}
	if (offered & EXT_MT_PRIORITY)
		snprintf(priority, sizeof(priority), "250-MT-PRIORITY%s%s\r\n",
		    e->profile[0] != '\0' ? " " : "", e->profile);
	snprintf(buf, EXTENSION_LINES_MAX, "%s%s%s%s",
	    offered & EXT_BINARYMIME ? "250-BINARYMIME\r\n" : "", future, by,
	    priority);
}

enum reply
extension_check(const struct mail_params *m, const char **detail)
{
	const struct conf_ext	*e = &child_conf()->ext;
	static char		 text[24];

	text[0] = '\0';
	*detail = text;
	switch (conf_ext_check(e, m, (int64_t)time(NULL))) {
	case EXT_HOLD_PAST:
		return REPLY_HOLD_PAST;
	case EXT_HOLD_FAR:
		snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)e->future_max);
		return REPLY_HOLD_FAR;
	case EXT_HOLD_BY:
		return REPLY_HOLD_BY;
	case EXT_BY_SHORT:
		snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)e->by_min);
		return REPLY_BY_SHORT;
	default:
		return REPLY_NONE;
	}
}
