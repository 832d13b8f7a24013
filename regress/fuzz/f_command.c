/* links: msad/frontend/command.c msad/frontend/reply.c */
/* A command line: slices stay inside it, every verdict has a reply. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mailbox.h"
#include "common/orcpt.h"
#include "msad/frontend/command.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
inside(struct slice s, const char *p, size_t n)
{
	if (s.len > 0 && (s.p < p || s.p + s.len > p + n))
		abort();
}

static void
known(enum reply r)
{
	if (r != REPLY_NONE && (r >= REPLY_MAX || reply_code(r) < 500))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command		 cmd;
	struct mail_args	 mail;
	struct auth_args	 auth;
	struct rcpt_args	 rcpt;
	char			*p = malloc(size > 0 ? size : 1);
	enum reply		 r;

	if (p == NULL)
		return 0;
	memcpy(p, data, size);
	command_parse(SLICE(p, size), &cmd);
	if (cmd.verb >= VERB_MAX)
		abort();
	inside(cmd.args, p, size);
	known(r = command_mail(cmd.args, EXT_ALL, &mail));
	if (r == REPLY_NONE) {
		inside(mail.path, p, size);
		if (!orcpt_is_ascii(mail.path) && (!mail.params.smtputf8 ||
		    !mailbox_utf8_ok(mail.path)))
			abort();
	}
	if (command_rcpt(cmd.args, EXT_DSN, &rcpt) == REPLY_NONE &&
	    (!orcpt_is_ascii(rcpt.path) || (rcpt.params.orcpt.p != NULL &&
	    !orcpt_is_ascii(rcpt.params.orcpt))))
		abort();
	known(r = command_rcpt(cmd.args, EXT_ALL, &rcpt));
	if (r == REPLY_NONE) {
		inside(rcpt.path, p, size);
		if (!mailbox_utf8_ok(rcpt.path))
			abort();
		if (memchr(rcpt.path.p, '\r', rcpt.path.len) != NULL ||
		    memchr(rcpt.path.p, '\n', rcpt.path.len) != NULL ||
		    memchr(rcpt.path.p, '\0', rcpt.path.len) != NULL)
			abort();
	}
	known(command_helo(cmd.args));
	if (command_auth(cmd.args, &auth) == REPLY_NONE) {
		inside(auth.mechanism, p, size);
		inside(auth.initial, p, size);
	}
	free(p);
	return 0;
}
