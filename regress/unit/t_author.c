/* links: msad/queue/author.c msad/queue/rights.c msad/queue/tables.c */
/* links: msad/queue/form.c msad/queue/scope.c msad/queue/lookup.c */
/* Whose name a header carries, and what from-mismatch makes of it (P3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/conf.h"
#include "msad/queue/author.h"

#define ME	"ann@example.org"
#define YOU	"bob@example.org"

static const char	 text[] =
	"hostname \"mail.example.org\"\n"
	"table \"t\" { \"ann\" = \"sales@example.org\" }\n"
	"relay \"r\" { maildir \"/m\" }\n"
	"match from auth sender { own, <t> } relay \"r\"\n"
	"match from auth sender own from-mismatch add-sender relay \"r\"\n"
	"match from auth sender own from-mismatch rewrite relay \"r\"\n"
	"match from auth sender any relay \"r\"\n";

enum { REJECT, ADD, REWRITE, ANY, NRULES };

static const struct {
	const char	*row;
	int		 rule;
	const char	*in;
	enum verdict	 verdict;
	const char	*out;		/* or the text of the refusal */
} table[] = {
	{ "R6409-6.1-b", REJECT, "From: " ME "\r\n", VERDICT_OK,
	    "From: " ME "\r\n" },
	{ "R6409-6.1-b", REJECT, "From: sales@example.org\r\nSender: " ME
	    "\r\n", VERDICT_OK, "From: sales@example.org\r\nSender: " ME
	    "\r\n" },
	{ "R6409-6.1-b", REJECT, "From: " YOU "\r\n", VERDICT_FROM_DENIED,
	    "the From field names " YOU ", which your login may not use" },
	{ "R6409-6.1-b", REJECT, "From: " ME ", " YOU "\r\n",
	    VERDICT_FROM_DENIED, "the From field names " YOU ", which your "
	    "login may not use" },
	{ "R6409-6.1-b", REJECT, "Sender: " YOU "\r\nFrom: " ME "\r\n",
	    VERDICT_FROM_DENIED, "the Sender field names " YOU ", which your "
	    "login may not use" },
	{ "R5322-3.6.2-a", REJECT, "From: " ME ", sales@example.org\r\nX: y"
	    "\r\n", VERDICT_OK, "From: " ME ", sales@example.org\r\nX: y\r\n"
	    "Sender: " ME "\r\n" },
	{ "R6854-2-a", REJECT, "From: nobody:;\r\n", VERDICT_FROM_DENIED,
	    "the From field names no address" },
	{ "R6854-2-a", ANY, "From: nobody:;\r\n", VERDICT_FROM_DENIED,
	    "the From field names no address" },
	{ "R5322-4.4-a", REJECT, "From: <@x.example:" ME ">\r\n",
	    VERDICT_MALFORMED, "the From field has an obsolete form" },
	{ "R5322-4.4-a", REJECT, "From: ," ME "\r\n", VERDICT_MALFORMED,
	    "the From field has an obsolete form" },
	{ "R6409-5.1-b", ANY, "From: <" ME "\r\n", VERDICT_MALFORMED,
	    "the From field has an address without its closing bracket" },
	{ "R5322-3.6.6-a", REJECT, "Resent-From: " ME "\r\nFrom: " YOU "\r\n",
	    VERDICT_OK, "Resent-From: " ME "\r\nFrom: " YOU "\r\n" },
	{ "R5322-3.6.6-a", REJECT, "Resent-From: " YOU "\r\nResent-From: " ME
	    "\r\nFrom: " ME "\r\n", VERDICT_FROM_DENIED, "the Resent-From "
	    "field names " YOU ", which your login may not use" },
	{ "R5322-3.6.6-a", REJECT, "Resent-From: " ME "\r\nResent-From: " YOU
	    "\r\nResent-Sender: " YOU "\r\nFrom: " ME "\r\n", VERDICT_OK,
	    "Resent-From: " ME "\r\nResent-From: " YOU "\r\nResent-Sender: "
	    YOU "\r\nFrom: " ME "\r\n" },
	{ "R5322-3.6.6-a", REJECT, "Resent-Sender: " YOU "\r\nFrom: " ME
	    "\r\n", VERDICT_FROM_DENIED, "the Resent-Sender field names "
	    YOU ", which your login may not use" },
	{ "R5322-3.6.6-a", REJECT, "Resent-Sender: " ME "\r\nFrom: " ME
	    "\r\n", VERDICT_OK, "Resent-Sender: " ME "\r\nFrom: " ME
	    "\r\n" },
	{ "R6409-8.1-a", ADD, "From: " YOU "\r\nX: y\r\n", VERDICT_OK,
	    "From: " YOU "\r\nX: y\r\nSender: " ME "\r\n" },
	{ "R6409-8.1-a", ADD, "Sender: " YOU "\r\nFrom: " YOU "\r\n",
	    VERDICT_OK, "From: " YOU "\r\nSender: " ME "\r\n" },
	{ "R6409-8.1-a", ADD, "From: " ME "\r\nSender: " YOU "\r\nX: y\r\n",
	    VERDICT_OK, "From: " ME "\r\nX: y\r\nSender: " ME "\r\n" },
	{ "R6409-8.1-a", ADD, "From: a:;\r\n", VERDICT_FROM_DENIED,
	    "the From field names no address" },
	{ "R6409-8.1-a", REWRITE, "X: y\r\nFrom: \"B\" <" YOU ">\r\nSender: "
	    YOU "\r\nZ: z\r\n", VERDICT_OK, "X: y\r\nFrom: \"B\" <" ME ">\r\n"
	    "Z: z\r\n" },
	{ "R6409-8.1-a", REWRITE, "Sender: " YOU "\r\nFrom: " YOU "\r\n",
	    VERDICT_OK, "From: <" ME ">\r\n" },
	{ "R6409-8.1-a", REWRITE, "From: " ME "\r\nSender: " YOU "\r\n",
	    VERDICT_OK, "From: " ME "\r\n" },
	{ "any", ANY, "From: " YOU "\r\nSender: x@y.example\r\n", VERDICT_OK,
	    "From: " YOU "\r\nSender: x@y.example\r\n" },
};

static void
put(void *arg, const void *p, size_t n)
{
	struct slice	*out = arg;

	memcpy((char *)(uintptr_t)out->p + out->len, p, n);
	out->len += n;
}

static void
t_authors(void **state)
{
	struct rights_login		 login = { .user = "ann", .own = ME };
	struct table_files		 files =
					    TAILQ_HEAD_INITIALIZER(files);
	const struct conf_match		*rules[NRULES];
	struct conf			*conf;
	struct tables			*tables;
	struct author			 a;
	struct slice			 s;
	char				 out[2048];
	size_t				 i;

	(void)state;
	conf = conf_parse_text(text, sizeof(text) - 1, "t", stderr);
	assert_non_null(conf);
	tables = tables_load(conf, &files, out, sizeof(out));
	assert_non_null(tables);
	rules[0] = TAILQ_FIRST(&conf->matches);
	for (i = 1; i < NRULES; i++)
		rules[i] = TAILQ_NEXT(rules[i - 1], entry);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (author_check(&a, SLICE_STR(table[i].in),
		    rules[table[i].rule], tables, &login) != table[i].verdict)
			fail_msg("%s: %s: %s", table[i].row, table[i].in,
			    a.text);
		if (table[i].verdict == VERDICT_OK) {
			s = SLICE(out, 0);
			author_section(&a, SLICE_STR(table[i].in), put, &s);
			out[s.len] = '\0';
		} else
			snprintf(out, sizeof(out), "%s", a.text);
		if (strcmp(out, table[i].out) != 0)
			fail_msg("%s: %s: got\n%s", table[i].row, table[i].in,
			    out);
	}
	tables_free(tables);
	conf_free(conf);
}

#define JO	"j\xc3\xb6@m\xc3\xbcnchen.example"
#define JO_A	"j\xc3\xb6@xn--mnchen-3ya.example"
#define JO_NFD	"jo\xcc\x88@m\xc3\xbcnchen.example"
#define MU	"mu@m\xc3\xbcnchen.example"
#define MU_A	"mu@xn--mnchen-3ya.example"

/* R6532-3-a, P3: what is compared and what is written, with UTF-8. */
static const struct {
	const char	*own;
	bool		 utf8;
	int		 rule;
	const char	*in;
	enum verdict	 verdict;
	const char	*out;
} utf8_table[] = {
	{ JO, true, REJECT, "From: " JO "\r\n", VERDICT_OK,
	    "From: " JO "\r\n" },
	{ JO, true, REJECT, "From: " JO_A "\r\n", VERDICT_OK,
	    "From: " JO_A "\r\n" },
	{ JO, true, REJECT, "From: J\xc3\xb6 (\xc3\xb6) <" JO ">\r\n",
	    VERDICT_OK, "From: J\xc3\xb6 (\xc3\xb6) <" JO ">\r\n" },
	{ JO, true, REJECT, "From: " JO_NFD "\r\n", VERDICT_FROM_DENIED,
	    "the From field names " JO_NFD ", which your login may not use" },
	{ JO, true, REJECT, "From: " JO "\r\nSender: " JO_NFD "\r\n",
	    VERDICT_FROM_DENIED,
	    "the Sender field names " JO_NFD ", which your login may not use" },
	{ JO, true, ADD, "From: " YOU "\r\n", VERDICT_OK,
	    "From: " YOU "\r\nSender: " JO "\r\n" },
	{ JO, true, REWRITE, "From: \xc3\x9c <" YOU ">\r\n", VERDICT_OK,
	    "From: \xc3\x9c <" JO ">\r\n" },
	/* without SMTPUTF8 what is written is ASCII, or the mail refused */
	{ JO, false, ADD, "From: " YOU "\r\n", VERDICT_FROM_DENIED,
	    "the From field names " YOU ", which your login may not use" },
	{ JO, false, REWRITE, "From: " YOU "\r\n", VERDICT_FROM_DENIED,
	    "the From field names " YOU ", which your login may not use" },
	{ MU, false, ADD, "From: " YOU "\r\n", VERDICT_OK,
	    "From: " YOU "\r\nSender: " MU_A "\r\n" },
	{ MU, true, ADD, "From: " YOU "\r\n", VERDICT_OK,
	    "From: " YOU "\r\nSender: " MU "\r\n" },
	{ MU, false, REWRITE, "From: " YOU "\r\n", VERDICT_OK,
	    "From: <" MU_A ">\r\n" },
	{ MU, false, REJECT, "From: " MU_A "\r\n", VERDICT_OK,
	    "From: " MU_A "\r\n" },
};

static void
t_utf8(void **state)
{
	struct rights_login	 login = { .user = "jo" };
	struct table_files	 files = TAILQ_HEAD_INITIALIZER(files);
	const struct conf_match	*rule;
	struct conf		*conf;
	struct tables		*tables;
	struct author		 a;
	struct slice		 s;
	char			 out[2048];
	size_t			 i;
	int			 n;

	(void)state;
	conf = conf_parse_text(text, sizeof(text) - 1, "t", stderr);
	assert_non_null(conf);
	tables = tables_load(conf, &files, out, sizeof(out));
	assert_non_null(tables);
	for (i = 0; i < sizeof(utf8_table) / sizeof(utf8_table[0]); i++) {
		rule = TAILQ_FIRST(&conf->matches);
		for (n = 0; n < utf8_table[i].rule; n++)
			rule = TAILQ_NEXT(rule, entry);
		login.own = utf8_table[i].own;
		login.utf8 = utf8_table[i].utf8;
		s = SLICE_STR(utf8_table[i].in);
		if (author_check(&a, s, rule, tables, &login) !=
		    utf8_table[i].verdict)
			fail_msg("%zu: %s", i, a.text);
		snprintf(out, sizeof(out), "%s", a.text);
		if (utf8_table[i].verdict == VERDICT_OK) {
			s = SLICE(out, 0);
			author_section(&a, SLICE_STR(utf8_table[i].in), put,
			    &s);
			out[s.len] = '\0';
		}
		if (strcmp(out, utf8_table[i].out) != 0)
			fail_msg("%zu: got\n%s", i, out);
	}
	tables_free(tables);
	conf_free(conf);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_authors),
		cmocka_unit_test(t_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
