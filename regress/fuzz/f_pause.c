/* links: msad/queue/kept_record.c regress/fuzz/kept_side.c */
/* links: msad/queue/pause.c msad/queue/kept.c msad/queue/blob.c */
/* libs: idn2 */
/*
 * Fuzz: what is found in the spool as a pause. What is read is written back
 * alike, and is in force.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"
#include "msad/queue/pause.h"
#include "msad/queue/registers.h"
#include "msad/queue/schedule.h"
#include "regress/fuzz/kept_side.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct conf *
child_conf(void)
{
	return NULL;
}

void
schedule_pause_relay(const char *name, bool paused)
{
	(void)name;
	(void)paused;
}

void
schedule_pause_tenant(const char *name, bool paused)
{
	(void)name;
	(void)paused;
}

void
schedule_pause_domain(const char *name, bool paused)
{
	(void)name;
	(void)paused;
}

static void
same(void *arg, const struct pause_record *r)
{
	uint8_t	buf[PAUSE_RECORD_MAX];

	(void)arg;
	pause_record_encode(r, buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct pause_record	r;
	uint8_t			buf[PAUSE_RECORD_MAX];
	uint32_t		gone;

	kept_register = REGISTER_PAUSES;
	if (pause_record_decode(data, n, &r) == -1)
		return 0;
	if (pause_record_encode(&r, buf) != n || memcmp(buf, data, n) != 0)
		abort();
	if (!pause_recover(REGISTER_PAUSES, data[2], data, n) ||
	    pause_each(same, NULL) != 1 ||
	    (r.kind == PAUSE_ACCEPT && (pause_conf(), !pause_accept())))
		abort();
	if (pause_remove(r.kind, r.name, 0, kept_nobody, NULL, &gone) != NULL ||
	    gone != 1)
		abort();
	kept_written();
	if (pause_each(same, NULL) != 0 || pause_accept())
		abort();
	return 0;
}
