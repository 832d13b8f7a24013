/* links: regress/smtp/hostile_steps.c */
/*
 * A front-end that an attacker has taken over, against msad-auth and what it
 * tells the queue: the facts of TLS, logins, grants, msactl's questions. Put in
 * the place of msad-frontend by hostile-auth.t, which names one attack by the
 * first label of the hostname; see h_hostile.c.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "common/verdict.h"
#include "regress/smtp/hostile.h"

#define PAUSE_MS	100
#define ROUNDS		40	/* of PAUSE_MS, until another has logged in */

/* Wait for what the other side makes of it: it should close. */
static void
see(struct ipc *ch, unsigned int type)
{
	if (ipc_wait(ch, type, WAIT_MS) == -1)
		gone = 1;
	tell(verdict);
}

static void
put_tls(uint64_t sid, size_t exporter, size_t unique, size_t endpoint)
{
	static const uint8_t	 zero[128];

	ipc_start(auth, IPC_SESSION_TLS, sid);
	ipc_put_str(auth, "TLSv1.3");
	ipc_put_bytes(auth, zero, exporter);
	ipc_put_bytes(auth, zero, unique);
	ipc_put_bytes(auth, zero, endpoint);
	ipc_put_bytes(auth, "", 0);
	ipc_send(auth);
}

/* --- the facts of TLS --- */

static void
a_tls_twice(void)
{
	open_session(1);
	put_tls(1, 32, 0, 0);
	put_tls(1, 32, 0, 0);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_tls_unopened(void)
{
	put_tls(1, 32, 0, 0);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_tls_exporter_size(void)
{
	open_session(1);
	put_tls(1, 31, 0, 0);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_tls_unique_size(void)
{
	open_session(1);
	put_tls(1, 0, 65, 0);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_tls_endpoint_size(void)
{
	open_session(1);
	put_tls(1, 0, 0, 65);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_tls_short(void)
{
	open_session(1);
	raw(auth, IPC_SESSION_TLS, 1, "\0\7TLS", 5);
	see(auth, IPC_AUTH_RESULT);
}

/* More octets than the fields say. */
static void
a_tls_left_over(void)
{
	char	 p[32] = { 0 };

	open_session(1);
	raw(auth, IPC_SESSION_TLS, 1, p, sizeof(p));
	see(auth, IPC_AUTH_RESULT);
}

static void
start_login(uint64_t sid)
{
	ipc_start(auth, IPC_AUTH_START, sid);
	ipc_put_u8(auth, 1);
	ipc_put_str(auth, "LOGIN");
	ipc_put_u8(auth, 0);
	ipc_put_bytes(auth, "", 0);
	ipc_send(auth);
}

static void
a_tls_in_login(void)
{
	open_session(1);
	start_login(1);
	put_tls(1, 32, 0, 0);
	see(auth, IPC_AUTH_RESULT);
}

/* --- the order of a login --- */

static void
a_start_in_login(void)
{
	open_session(1);
	start_login(1);
	start_login(1);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_start_unopened(void)
{
	start_plain(7);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_response_unasked(void)
{
	open_session(1);
	ipc_start(auth, IPC_AUTH_RESPONSE, 1);
	ipc_put_bytes(auth, "x", 1);
	ipc_send(auth);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_smaller_session_id(void)
{
	open_session(5);
	open_session(4);
	see(auth, IPC_AUTH_RESULT);
}

/* A client's address that is a line of the log, or a file for PAM. */
static void
a_client_text(void)
{
	ipc_start(auth, IPC_SESSION_OPEN, 1);
	ipc_put_u16(auth, 0);
	ipc_put_str(auth, "1.2.3.4\nevent=auth-ok");
	ipc_put_u16(auth, 1);
	ipc_put_str(auth, "127.0.0.1");
	ipc_put_u16(auth, 1);
	ipc_send(auth);
	see(auth, IPC_AUTH_RESULT);
}

/* One guess after the other: each is logged. */
static void
a_guesses(void)
{
	static const char	 guess[] = "\0root\0guess";
	int			 i;

	open_session(1);
	for (i = 0; i < 3; i++) {
		ipc_start(auth, IPC_AUTH_START, 1);
		ipc_put_u8(auth, 1);
		ipc_put_str(auth, "PLAIN");
		ipc_put_u8(auth, 1);
		ipc_put_bytes(auth, guess, sizeof(guess) - 1);
		ipc_send(auth);
		answer(auth, IPC_AUTH_RESULT);
	}
	tell(verdict);
}

/* A login that failed, and mail all the same. */
static void
a_mail_after_failure(void)
{
	static const char	 guess[] = "\0root\0guess";
	char			 own[300];

	open_session(1);
	ipc_start(auth, IPC_AUTH_START, 1);
	ipc_put_u8(auth, 1);
	ipc_put_str(auth, "PLAIN");
	ipc_put_u8(auth, 1);
	ipc_put_bytes(auth, guess, sizeof(guess) - 1);
	ipc_send(auth);
	answer(auth, IPC_AUTH_RESULT);
	tell(mail(1, own_address(own, sizeof(own))));
}

/* Mail while the password is still being verified. */
static void
a_mail_before_result(void)
{
	char	 own[300];

	open_session(1);
	start_plain(1);
	tell(mail(1, own_address(own, sizeof(own))));
}

/* A login that is given up is nobody's. */
static void
a_mail_after_cancel(void)
{
	char	 own[300];

	if (log_in(1) == -1)
		return;
	ipc_send_empty(auth, IPC_AUTH_CANCEL, 1);
	/* behind it on the same channel, and answered by the queue's revoke */
	open_session(2);
	start_plain(2);
	answer(auth, IPC_AUTH_RESULT);
	tell(mail(1, own_address(own, sizeof(own))));
}

/*
 * Two front-ends: one logs in, the other uses its session's id, over and over
 * until the login has long been there.
 */
static void
a_other_frontend(void)
{
	char	 own[300];
	int	 i, v = VERDICT_NO_GRANT;

	if (child_index() == 0) {
		if (log_in(1) == 0)
			log_notice("hostile is logged in");
		return;
	}
	own_address(own, sizeof(own));
	for (i = 0; i < ROUNDS && v == VERDICT_NO_GRANT && !gone; i++) {
		v = mail(1, own);
		/* nothing comes: a pause */
		ipc_wait(queue, IPC_SMTP_CREDIT, PAUSE_MS);
	}
	tell(v);
}

/* --- what others alone may say --- */

static void
a_forged_granted(void)
{
	open_session(1);
	raw(auth, IPC_SESSION_GRANTED, 1, "\0\4root", 6);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_forged_refuse(void)
{
	open_session(1);
	raw(auth, IPC_SESSION_REFUSE, 1, "\0\0\0\0\0\0", 6);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_forged_taken(void)
{
	open_session(1);
	start_plain(1);
	raw(auth, IPC_GRANT_TAKEN, 1, "\0\0\0\0\0\0\0\0\1", 9);
	see(auth, IPC_SESSION_REFUSE);
}

static void
a_forged_pam(void)
{
	open_session(1);
	start_plain(1);
	raw(auth, IPC_PAM_RESULT, 1, "\0\0\4root\0\0\0\0\0\0", 13);
	see(auth, IPC_SESSION_REFUSE);
}

static void
a_forged_revoke(void)
{
	raw(queue, IPC_GRANT_REVOKE, 1, "\0\0\0\0\0\0\0\1", 8);
	see(queue, IPC_SMTP_VERDICT);
}

/* msactl's questions, as root. */
static void
a_ask_bans(void)
{
	char	 p[14] = { 0 };

	raw(auth, IPC_CTL_AUTH_BANS, 1, p, sizeof(p));
	see(auth, IPC_AUTH_RESULT);
}

static void
a_grant_itself(void)
{
	static const char	 p[] = "\0\0\0\0\0\0"	/* uid 0, no groups */
	    "\0\011192.0.2.9\0\4root\0\3sys\0\0\0\74";

	raw(auth, IPC_CTL_AUTH_GRANT, 1, p, sizeof(p) - 1);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_unban_itself(void)
{
	raw(auth, IPC_CTL_AUTH_UNBAN, 1, "\0\0\0\0\0\0\0\0", 8);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_test_password(void)
{
	static const char	 p[] = "\0\0\0\0\0\0\0\4root\0\0\0\0\0\0\0\1x";

	raw(auth, IPC_CTL_AUTH_TEST, 1, p, sizeof(p) - 1);
	see(auth, IPC_AUTH_RESULT);
}

static void
a_ask_users(void)
{
	char	 p[24] = { 0 };

	raw(queue, IPC_CTL_QUEUE_USERS, 1, p, sizeof(p));
	see(queue, IPC_SMTP_VERDICT);
}

static void
a_ask_rights(void)
{
	char	 p[15] = { 0 };

	raw(queue, IPC_CTL_QUEUE_TEST, 1, p, sizeof(p));
	see(queue, IPC_SMTP_VERDICT);
}

static void
a_none(void)
{
	open_session(1);
	put_tls(1, 32, 0, 32);
	start_plain(1);
	tell(answer(auth, IPC_AUTH_RESULT));
}

static const struct {
	const char	*name;
	void		(*run)(void);
} attacks[] = {
	{ "none", a_none },
	{ "tls-twice", a_tls_twice },
	{ "tls-unopened", a_tls_unopened },
	{ "tls-exporter-size", a_tls_exporter_size },
	{ "tls-unique-size", a_tls_unique_size },
	{ "tls-endpoint-size", a_tls_endpoint_size },
	{ "tls-short", a_tls_short },
	{ "tls-left-over", a_tls_left_over },
	{ "tls-in-login", a_tls_in_login },
	{ "start-in-login", a_start_in_login },
	{ "start-unopened", a_start_unopened },
	{ "response-unasked", a_response_unasked },
	{ "smaller-session-id", a_smaller_session_id },
	{ "client-text", a_client_text },
	{ "guesses", a_guesses },
	{ "mail-after-failure", a_mail_after_failure },
	{ "mail-before-result", a_mail_before_result },
	{ "mail-after-cancel", a_mail_after_cancel },
	{ "other-frontend", a_other_frontend },
	{ "forged-granted", a_forged_granted },
	{ "forged-refuse", a_forged_refuse },
	{ "forged-taken", a_forged_taken },
	{ "forged-pam", a_forged_pam },
	{ "forged-revoke", a_forged_revoke },
	{ "ask-bans", a_ask_bans },
	{ "grant-itself", a_grant_itself },
	{ "unban-itself", a_unban_itself },
	{ "test-password", a_test_password },
	{ "ask-users", a_ask_users },
	{ "ask-rights", a_ask_rights },
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
	for (i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (auth != NULL && queue != NULL &&
		    strcmp(attacks[i].name, attack) == 0)
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
