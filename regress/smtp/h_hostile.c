/* links: regress/smtp/hostile_steps.c */
/*
 * A front-end that an attacker has taken over. hostile.t puts it in the place
 * of msad-frontend, so that it gets the real channels to the real auth, keys
 * and queue, and tries one attack, named by the first label of the hostname.
 * It logs "hostile attack=NAME outcome=..." and ends; the test looks at that
 * line and at what the attacked process logged.
 *
 * The table "credentials" of the configuration has one row, "user" =
 * "password@any": an account that may really log in, for what only a logged-in
 * session can try.
 */
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/verdict.h"
#include "regress/smtp/hostile.h"

/* --- the attacks --- */

#define HEADER	"From: x@example.org\r\n" \
		"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n" \
		"Message-ID: <1@example.org>\r\n"

static void
send_message(const char *header, size_t hlen, const char *body, size_t blen)
{
	char	 own[300], from[400];
	size_t	 n;
	int	 len;

	if (begin_message(1, "client.example.org") == -1)
		return;
	len = snprintf(from, sizeof(from), "From: <%s>\r\n",
	    own_address(own, sizeof(own)));
	n = header == NULL ? piece(IPC_SMTP_HEADER, 1, from, (size_t)len) :
	    piece(IPC_SMTP_HEADER, 1, header, hlen);
	n += piece(IPC_SMTP_BODY, 1, body, blen);
	tell(finish(1, n));
}

static void
a_mail_without_login(void)
{
	char	 own[300];

	open_session(1);
	tell(mail(1, own_address(own, sizeof(own))));
}

static void
a_every_session_id(void)
{
	uint64_t	 sid;
	char		 own[300];

	own_address(own, sizeof(own));
	for (sid = 0; sid < 2000; sid++)
		if (mail(sid, own) != VERDICT_NO_GRANT || gone)
			break;
	tell(sid == 2000 ? VERDICT_NO_GRANT : verdict);
}

static void
a_forged_sender(void)
{
	if (log_in(1) == 0)
		tell(mail(1, "root@example.org"));
}

static void
a_other_session(void)
{
	char	 own[300];

	if (log_in(1) == 0)
		tell(mail(2, own_address(own, sizeof(own))));
}

static void
a_after_close(void)
{
	char	 own[300];

	if (log_in(1) == -1)
		return;
	ipc_send_empty(auth, IPC_SESSION_CLOSE, 1);
	ipc_send_empty(queue, IPC_SMTP_CLOSE, 1);
	tell(mail(1, own_address(own, sizeof(own))));
}

static void
a_reopened_session(void)
{
	if (log_in(1) == -1)
		return;
	ipc_send_empty(auth, IPC_SESSION_CLOSE, 1);
	open_session(1);
	start_plain(1);
	tell(answer(auth, IPC_AUTH_RESULT));
}

static void
a_two_attempts(void)
{
	open_session(1);
	start_plain(1);
	start_plain(1);
	while (answer(auth, IPC_AUTH_RESULT) != -1)
		;
	tell(verdict);
}

/* MAIL whose sender a database decides, which does not answer (hostile.t). */
static void
mail_asked(uint64_t sid)
{
	ipc_start(queue, IPC_SMTP_MAIL, sid);
	ipc_put_str(queue, "asked@database.example");
	ipc_put_u64(queue, 0);
	ipc_put_str(queue, "");
	ipc_send(queue);
}

static void
a_rcpt_while_asked(void)
{
	if (log_in(1) == -1)
		return;
	mail_asked(1);
	rcpt(1, "r@x.example");
	tell(verdict);
}

static void
a_data_while_asked(void)
{
	if (log_in(1) == -1)
		return;
	mail_asked(1);
	data(1, "me");
	tell(finish(1, 0));
}

static void
a_end_while_asked(void)
{
	if (log_in(1) == -1)
		return;
	mail_asked(1);
	tell(finish(1, 0));
}

static void
a_mail_while_asked(void)
{
	char	 own[300];

	if (log_in(1) == -1)
		return;
	mail_asked(1);
	tell(mail(1, own_address(own, sizeof(own))));
}

/* A thousand questions begun and given up, and one session closed amid one. */
static void
a_resets_while_asked(void)
{
	char	 own[300];
	int	 i;

	if (log_in(1) == -1 || log_in(2) == -1)
		return;
	mail_asked(2);
	ipc_send_empty(queue, IPC_SMTP_CLOSE, 2);
	for (i = 0; i < 1000; i++) {
		mail_asked(1);
		ipc_send_empty(queue, IPC_SMTP_RESET, 1);
		if (answer(queue, IPC_SMTP_VERDICT) != VERDICT_TROUBLE)
			break;
	}
	tell(i < 1000 ? -1 : mail(1, own_address(own, sizeof(own))));
}

static void
a_forged_grant(void)
{
	char	 p[64] = { 0 };

	raw(queue, IPC_GRANT, 1, p, sizeof(p));
	ipc_wait(queue, IPC_SMTP_VERDICT, WAIT_MS);
	gone = 1;
	tell(0);
}

static void
a_wrong_direction(void)
{
	raw(queue, IPC_SMTP_QUEUED, 1, "\0\0\0\0\0", 5);
	if (ipc_wait(queue, IPC_SMTP_VERDICT, WAIT_MS) == -1)
		gone = 1;
	tell(VERDICT_OK);
}

static void
a_bare_lf_body(void)
{
	static const char	 body[] = "one\ntwo\r\n";

	send_message(NULL, 0, body, sizeof(body) - 1);
}

static void
a_smuggled_end(void)
{
	static const char	 body[] = "one\r\n.\n"
	    "MAIL FROM:<root@example.org>\r\n";

	send_message(NULL, 0, body, sizeof(body) - 1);
}

static void
a_nul_body(void)
{
	static const char	 body[] = "one\0two\r\n";

	send_message(NULL, 0, body, sizeof(body) - 1);
}

static void
a_bare_cr_header(void)
{
	static const char	 h[] = HEADER "Subject: a\rBcc: b\r\n";

	send_message(h, sizeof(h) - 1, "text\r\n", 6);
}

static void
a_blank_line_in_header(void)
{
	static const char	 h[] = HEADER "\r\nTo: x@example.org\r\n";

	send_message(h, sizeof(h) - 1, "text\r\n", 6);
}

static void
a_two_froms(void)
{
	static const char	 h[] = HEADER "From: root@example.org\r\n";

	send_message(h, sizeof(h) - 1, "text\r\n", 6);
}

static void
a_ehlo_injection(void)
{
	char	 own[300], from[400];
	size_t	 n;
	int	 len;

	if (begin_message(1, "x\r\nX-Injected: yes\r\n"
	    "Received: from trusted") == -1)
		return;
	len = snprintf(from, sizeof(from), "From: <%s>\r\n",
	    own_address(own, sizeof(own)));
	n = piece(IPC_SMTP_HEADER, 1, from, (size_t)len);
	n += piece(IPC_SMTP_BODY, 1, "text\r\n", 6);
	tell(finish(1, n));
}

static void
a_rcpt_injection(void)
{
	char	 own[300];

	if (log_in(1) == -1 ||
	    mail(1, own_address(own, sizeof(own))) != VERDICT_OK)
		return;
	tell(rcpt(1, "a@example.net>\r\nRCPT TO:<b@example.net"));
}

static void
a_no_credit(void)
{
	static char	 body[IPC_PIECE_MAX];
	int		 i;

	if (begin_message(1, "client.example.org") == -1)
		return;
	memset(body, 'a', sizeof(body));
	for (i = 0; i < (int)sizeof(body) - 80; i += 80)
		memcpy(body + i + 78, "\r\n", 2);
	memcpy(body + sizeof(body) - 2, "\r\n", 2);
	piece(IPC_SMTP_HEADER, 1, HEADER, sizeof(HEADER) - 1);
	for (i = 0; i < 64 && !gone; i++)
		piece(IPC_SMTP_BODY, 1, body, sizeof(body));
	tell(finish(1, 1));
}

static void
a_wrong_size(void)
{
	if (begin_message(1, "client.example.org") == -1)
		return;
	piece(IPC_SMTP_HEADER, 1, HEADER, sizeof(HEADER) - 1);
	piece(IPC_SMTP_BODY, 1, "text\r\n", 6);
	tell(finish(1, 5));
}

static void
a_sign_anything(void)
{
	uint8_t	 id[32] = { 0 };

	ipc_start(keys, IPC_KEY_SIGN, 1);
	ipc_put_raw(keys, id, sizeof(id));
	ipc_put_u8(keys, 6);
	ipc_put_str(keys, "SHA256");
	ipc_put_bytes(keys, "pay the bearer", 14);
	ipc_send(keys);
	if (ipc_wait(keys, IPC_KEY_SIGNED, WAIT_MS) == -1)
		gone = 1;
	tell(signed_ok ? VERDICT_OK : VERDICT_NO_GRANT);
}

/* Ids as auth gives to local sessions, which nobody has opened. */
static void
a_invented_local(void)
{
	uint64_t	 epoch, sid = 0;

	for (epoch = child_epoch() - 40; epoch < child_epoch() + 40; epoch++)
		for (sid = 1; sid <= 20; sid++)
			if (mail(IPC_SID_LOCAL | (epoch & 0x7fffffff) << 32 |
			    sid, "root@example.org") != VERDICT_NO_GRANT ||
			    gone) {
				tell(verdict);
				return;
			}
	tell(VERDICT_NO_GRANT);
}

/* A log-in that would be taken for a local user's. */
static void
a_opened_local(void)
{
	open_session(IPC_SID_LOCAL | 1);
	start_plain(IPC_SID_LOCAL | 1);
	tell(answer(auth, IPC_AUTH_RESULT));
}

/* What msad alone may tell auth: that the next program's user is root. */
static void
a_forged_name(void)
{
	raw(auth, IPC_USER_NAME, 1, "\0\0\0\0\0\0\4root", 11);
	if (ipc_wait(auth, IPC_AUTH_RESULT, WAIT_MS) == -1)
		gone = 1;
	tell(VERDICT_OK);
}

/* A header in another's name, mine around it. */
static void
send_as(const char *before, const char *behind)
{
	char	 own[300], h[700];
	int	 n;

	n = snprintf(h, sizeof(h), "%s%s%s", before,
	    own_address(own, sizeof(own)), behind);
	send_message(h, (size_t)n, "text\r\n", 6);
}

static void
a_forged_from(void)
{
	send_as("X-Me: ", "\r\nFrom: root@example.org\r\n");
}

static void
a_forged_from_second(void)
{
	send_as("From: ", ", root@example.org\r\n");
}

static void
a_forged_from_comment(void)
{
	send_as("FROM :\r\n (<", ">)\r\n \"ro\\ot\"@Example.ORG\r\n");
}

/* Forms that readers take differently, which our front-end rewrites. */
static void
a_forged_from_route(void)
{
	send_as("From: <@root.example,@example.org:", ">\r\n");
}

static void
a_forged_from_broken(void)
{
	send_as("From: <", "> <root@example.org>\r\n");
}

static void
a_forged_sender_field(void)
{
	send_as("From: ", "\r\nSender: root@example.org\r\n");
}

static void
a_forged_results(void)
{
	send_as("Authentication-Results: (x) \"Forged-Results.Example.ORG\" "
	    "1;\r\n\tauth=pass smtp.auth=root\r\nFrom: ", "\r\n");
}

static void
a_forged_resent(void)
{
	send_as("Resent-From: root@example.org\r\nResent-From: ",
	    "\r\nFrom: root@example.org\r\n");
}

/* Parameters that our front-end would never write so. */
static void
mail_with(const char *params)
{
	char	 own[300];

	mail_params = params;
	if (log_in(1) == 0)
		tell(mail(1, own_address(own, sizeof(own))));
}

static void
a_mail_params_order(void)
{
	mail_with("RET=FULL BODY=8BITMIME");
}

static void
a_mail_params_case(void)
{
	mail_with("smtputf8");
}

static void
a_mail_params_foreign(void)
{
	mail_with("SIZE=1");
}

static void
a_mail_params_injection(void)
{
	mail_with("ENVID=a\r\nRSET");
}

/* Out of the bounds that it tells its clients. */

static void
a_hold_too_long(void)
{
	mail_with("HOLDFOR=2592001");
}

static void
a_hold_beyond_by(void)
{
	mail_with("BY=60;R HOLDFOR=61");
}

static void
a_hold_past(void)
{
	mail_with("HOLDUNTIL=2001-01-01T00:00:00Z");
}

static void
a_hold_for_ever(void)
{
	mail_with("HOLDUNTIL=9999-12-31T23:59:59Z");
}

static void
a_forged_priority(void)
{
	mail_with("MT-PRIORITY=9");
}

static void
rcpt_with(const char *to, const char *params)
{
	char	 own[300];

	rcpt_params = params;
	if (log_in(1) == 0 &&
	    mail(1, own_address(own, sizeof(own))) == VERDICT_OK)
		tell(rcpt(1, to));
}

static void
a_rcpt_params_8bit(void)
{
	mail_params = "SMTPUTF8";
	rcpt_with("bob@example.net", "ORCPT=utf-8;\xc3\xb6@example.net");
}

static void
a_rcpt_params_order(void)
{
	rcpt_with("bob@example.net",
	    "ORCPT=rfc822;bob@example.net NOTIFY=NEVER");
}

/* UTF-8 where SMTPUTF8 was not asked, and what is no UTF-8 where it was. */
static void
sender_is(const char *from, const char *params)
{
	mail_params = params;
	if (log_in(1) == 0)
		tell(mail(1, from));
}

static void
a_utf8_sender(void)
{
	sender_is("j\xc3\xb6@example.org", "");
}

static void
a_utf8_sender_bad(void)
{
	sender_is("j\xc3@example.org", "SMTPUTF8");
}

static void
a_utf8_sender_c1(void)
{
	sender_is("j\xc2\x85@example.org", "SMTPUTF8");
}

static void
a_utf8_sender_domain(void)
{
	sender_is("root@example\xef\xbc\x8eorg", "SMTPUTF8");
}

/* "root" with a Cyrillic letter. */
static void
a_utf8_sender_alike(void)
{
	sender_is("ro\xd0\xbet@example.org", "SMTPUTF8");
}

static void
a_utf8_rcpt(void)
{
	rcpt_with("j\xc3\xb6@example.net", "");
}

static void
a_utf8_rcpt_bad(void)
{
	mail_params = "SMTPUTF8";
	rcpt_with("\xed\xa0\x80@example.net", "");
}

static void
a_utf8_rcpt_domain(void)
{
	mail_params = "SMTPUTF8";
	rcpt_with("bob@\xe2\x98\x83.net", "");
}

static void
a_utf8_header(void)
{
	send_as("From: ", "\r\nSubject: \xc3\xb6\r\n");
}

static void
a_utf8_header_bad(void)
{
	mail_params = "SMTPUTF8";
	send_as("From: ", "\r\nSubject: \xc3\r\n");
}

static void
a_utf8_header_c1(void)
{
	mail_params = "SMTPUTF8";
	send_as("From: ", "\r\nSubject: \xc2\x85\r\n");
}

static void
a_utf8_from_alike(void)
{
	mail_params = "SMTPUTF8";
	send_as("From: ", ", root@ex\xd0\xb0mple.org\r\n");
}

static void
a_end_flags(void)
{
	end_flags = 0x80;
	send_as("From: ", "\r\n");
}

static void
a_none(void)
{
	static const char	 body[] = "text\r\n";

	send_message(NULL, 0, body, sizeof(body) - 1);
}

static const struct {
	const char	*name;
	void		(*run)(void);
} attacks[] = {
	{ "invented-local-session", a_invented_local },
	{ "opened-local-session", a_opened_local },
	{ "forged-name", a_forged_name },
	{ "none", a_none }, { "forged-results", a_forged_results },
	{ "mail-without-login", a_mail_without_login },
	{ "every-session-id", a_every_session_id },
	{ "forged-sender", a_forged_sender },
	{ "other-session", a_other_session },
	{ "after-close", a_after_close },
	{ "reopened-session", a_reopened_session },
	{ "two-attempts", a_two_attempts },
	{ "rcpt-while-asked", a_rcpt_while_asked },
	{ "data-while-asked", a_data_while_asked },
	{ "end-while-asked", a_end_while_asked },
	{ "mail-while-asked", a_mail_while_asked },
	{ "resets-while-asked", a_resets_while_asked },
	{ "forged-grant", a_forged_grant },
	{ "wrong-direction", a_wrong_direction },
	{ "bare-lf-body", a_bare_lf_body },
	{ "smuggled-end", a_smuggled_end },
	{ "nul-body", a_nul_body },
	{ "bare-cr-header", a_bare_cr_header },
	{ "blank-line-in-header", a_blank_line_in_header },
	{ "two-froms", a_two_froms },
	{ "forged-from", a_forged_from },
	{ "forged-from-second", a_forged_from_second },
	{ "forged-from-comment", a_forged_from_comment },
	{ "forged-from-route", a_forged_from_route },
	{ "forged-from-broken", a_forged_from_broken },
	{ "forged-sender-field", a_forged_sender_field },
	{ "forged-resent", a_forged_resent },
	{ "ehlo-injection", a_ehlo_injection },
	{ "rcpt-injection", a_rcpt_injection },
	{ "no-credit", a_no_credit },
	{ "wrong-size", a_wrong_size },
	{ "sign-anything", a_sign_anything },
	{ "mail-params-order", a_mail_params_order },
	{ "mail-params-case", a_mail_params_case },
	{ "mail-params-foreign", a_mail_params_foreign },
	{ "mail-params-injection", a_mail_params_injection },
	{ "rcpt-params-8bit", a_rcpt_params_8bit },
	{ "rcpt-params-order", a_rcpt_params_order },
	{ "utf8-sender", a_utf8_sender },
	{ "utf8-sender-bad", a_utf8_sender_bad },
	{ "utf8-sender-c1", a_utf8_sender_c1 },
	{ "utf8-sender-domain", a_utf8_sender_domain },
	{ "utf8-sender-alike", a_utf8_sender_alike },
	{ "utf8-rcpt", a_utf8_rcpt }, { "utf8-rcpt-bad", a_utf8_rcpt_bad },
	{ "utf8-rcpt-domain", a_utf8_rcpt_domain },
	{ "utf8-header", a_utf8_header },
	{ "utf8-header-bad", a_utf8_header_bad },
	{ "utf8-header-c1", a_utf8_header_c1 },
	{ "utf8-from-alike", a_utf8_from_alike },
	{ "end-flags", a_end_flags },
	{ "hold-too-long", a_hold_too_long },
	{ "hold-beyond-by", a_hold_beyond_by },
	{ "hold-past", a_hold_past }, { "hold-for-ever", a_hold_for_ever },
	{ "forged-priority", a_forged_priority },
};

static void
hostile_listener(uint32_t generation, uint16_t index, int fd)
{
	(void)generation;
	(void)index;
	close(fd);
}

static void
hostile_start(void)
{
	const char	*host = child_conf()->hostname;
	size_t		 i;

	strlcpy(attack, host, sizeof(attack));
	attack[strcspn(attack, ".")] = '\0';
	if (auth == NULL || keys == NULL || queue == NULL) {
		outcome("no-channels");
		return;
	}
	for (i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (strcmp(attacks[i].name, attack) == 0)
			attacks[i].run();
}

static const struct child hostile = {
	.role = ROLE_FRONTEND,
	.name = "frontend",
	.channel = hostile_channel,
	.listener = hostile_listener,
	.start = hostile_start,
};

int
main(int argc, char **argv)
{
	return child_main(&hostile, argc, argv);
}
