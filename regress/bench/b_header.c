/* links: msad/frontend/submission.c msad/frontend/rewrite.c */
/* links: msad/queue/check.c msad/queue/author.c msad/queue/rights.c */
/* links: msad/queue/tables.c msad/queue/form.c msad/queue/scope.c */
/* links: msad/queue/lookup.c */
/*
 * What a header costs: correcting it as the front-end does, checking it and
 * its author as the queue does. Prints microseconds of processor a message.
 *
 * usage: b_header [count]
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/conf.h"
#include "msad/frontend/submission.h"
#include "msad/queue/author.h"
#include "msad/queue/check.h"

#define LIMIT	20.0		/* microseconds for 2 kB */

static const char	 conf_text[] =
	"hostname \"mail.example.org\"\n"
	"pki \"p\" { cert \"/c\" key \"/k\" }\n"
	"auth \"a\" { pam service \"msad\" }\n"
	"table \"t\" { \"ann\" = \"sales@example.org, @ann.example\" }\n"
	"relay \"r\" { maildir \"/m\" }\n"
	"match from auth sender { own, <t> } relay \"r\"\n";

static const char	 fields[] =
	"From: Ann Example <ann@example.org>\r\n"
	"To: \"Doe, John\" <john.doe@customer.example>, bob@example.net,\r\n"
	" Carol of Sales <carol@sales.example.com>\r\n"
	"Cc: team: dave@example.net, \"Eve\" <eve@example.net>;\r\n"
	"Subject: =?UTF-8?Q?Re:_Minutes_of_the_meeting_on_Thursday?=\r\n"
	"Date: Sun, 22 Nov 2026 03:24:08 +0100\r\n"
	"Message-ID: <b3f1a8b2-5d3e-4a43-9a08-0d1c5b1f7d11@example.org>\r\n"
	"In-Reply-To: <CAF1j2k3l4m5n6o7p8q9r@mail.customer.example>\r\n"
	"References: <20261120101112.GA1234@customer.example>\r\n"
	" <20261121101112.GB5678@customer.example>\r\n"
	"MIME-Version: 1.0\r\n"
	"User-Agent: A Mail Program/128.4.0\r\n"
	"Content-Type: multipart/alternative;\r\n"
	" boundary=\"------------0VxY7a1bQ2c3D4e5F6g7H8i9\"\r\n"
	"Content-Language: en-US\r\n";

/* About 2 kB: the fields above and some of a mail program's own. */
static size_t
section(char *buf, size_t size)
{
	size_t	n, i;

	n = (size_t)snprintf(buf, size, "%s", fields);
	for (i = 0; n < 2000; i++)
		n += (size_t)snprintf(buf + n, size - n,
		    "X-Client-Detail-%zu: some value that a program adds\r\n",
		    i);
	return n;
}

static double
now(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void
nothing(void *arg, const void *p, size_t n)
{
	(void)p;
	*(size_t *)arg += n;
}

int
main(int argc, char *argv[])
{
	struct rights_login	 login = { .user = "ann",
		.own = "ann@example.org" };
	struct table_files	 files = TAILQ_HEAD_INITIALIZER(files);
	struct submission	 sub;
	struct author		 author;
	struct check		 check;
	struct conf		*conf;
	struct tables		*tables;
	char			 buf[4096], reason[256];
	size_t			 len = section(buf, sizeof(buf)), put = 0;
	long			 i, count = 100000;
	double			 begin, front = 0, queue = 0;

	if (argc > 1)
		count = strtol(argv[1], NULL, 10);
	conf = conf_parse_text(conf_text, sizeof(conf_text) - 1, "b", stderr);
	if (conf == NULL || (tables = tables_load(conf, &files, reason,
	    sizeof(reason))) == NULL)
		errx(1, "configuration");
	for (i = 0; i < count; i++) {
		begin = now();
		memset(&sub, 0, sizeof(sub));
		sub.section = buf;
		sub.len = len;
		sub.host = "mail.example.org";
		sub.now = 1795317848;
		sub.appends = &conf->appends;
		if (submission_correct(&sub) != REPLY_NONE)
			errx(1, "refused: %s", sub.detail);
		front += now() - begin;
		begin = now();
		check_begin(&check, 1000000);
		check_header(&check, sub.out, sub.out_len);
		check_header_end(&check);
		if (check.verdict != VERDICT_OK || author_check(&author,
		    SLICE(check.header, check.header_len),
		    TAILQ_FIRST(&conf->matches), tables, &login) != VERDICT_OK)
			errx(1, "refused by the queue");
		author_section(&author, SLICE(check.header, check.header_len),
		    nothing, &put);
		check_free(&check);
		free(sub.out);
		queue += now() - begin;
	}
	printf("{\"header\": %zu, \"front_end_us\": %.2f, \"queue_us\": %.2f, "
	    "\"together_us\": %.2f, \"limit_us\": %.0f}\n", len,
	    front / (double)count, queue / (double)count,
	    (front + queue) / (double)count, LIMIT);
	tables_free(tables);
	conf_free(conf);
	return (front + queue) / (double)count <= LIMIT ? 0 : 1;
}
