#ifndef FRONTEND_REPLY_H
#define FRONTEND_REPLY_H

#include <stddef.h>

#include "common/slice.h"
#include "common/verdict.h"

/*
 * Every reply that a front-end may send, in one table: code, enhanced code
 * ("" for none), and a sentence that tells a person what to do. In the
 * sentence %h stands for our host name and %d for a detail of the moment.
 */
#define REPLY_TABLE(X) \
	X(GREETING, 220, "", "%h ESMTP") \
	X(GO_TLS, 220, "2.0.0", "Ready to start TLS") \
	X(HELP, 214, "2.0.0", "This is a mail submission service; its " \
	    "commands are those of RFC 5321 and RFC 6409") \
	X(BYE, 221, "2.0.0", "%h Bye") \
	X(AUTH_OK, 235, "2.7.0", "Authentication successful") \
	X(HELO, 250, "", "%h") \
	X(OK, 250, "2.0.0", "Ok") \
	X(SENDER_OK, 250, "2.1.0", "Sender ok") \
	X(PRIORITY_CHANGED, 250, "2.3.6", "%d is the priority of the message " \
	    "now: you may not ask for a higher one") \
	X(RCPT_OK, 250, "2.1.5", "Recipient ok") \
	X(CHUNK_OK, 250, "2.0.0", "The chunk is taken, send the next one") \
	X(QUEUED, 250, "2.0.0", "Message accepted and queued as %d") \
	X(VRFY, 252, "2.5.0", "Addresses are not verified here; send the " \
	    "message and it will be tried") \
	X(START_DATA, 354, "", "Send the message, end it with a line of one " \
	    "dot") \
	X(BUSY_GREETING, 421, "", "%h Too many connections, try again later") \
	X(TOO_MANY_MAILS, 421, "4.7.0", "%h Too many messages in one " \
	    "session, connect again") \
	X(SHUTDOWN, 421, "4.3.2", "%h The service is being shut down, try " \
	    "again in a moment") \
	X(TIMEOUT, 421, "4.4.2", "%h Waited too long for you, connect again") \
	X(TOO_MANY_BAD, 421, "4.7.0", "%h Too many bad commands, closing the " \
	    "connection") \
	X(BANNED, 421, "4.7.0", "%h Too many failed logins from your " \
	    "address or network; you are not served for some time") \
	X(TOO_MANY_AUTH, 421, "4.7.0", "%h Too many failed logins, closing " \
	    "the connection") \
	X(NOT_HTTP, 421, "4.7.0", "%h This is a mail service and not a web " \
	    "server") \
	X(CHUNK_LOST, 421, "4.7.0", "%h The size of the chunk cannot be " \
	    "read, so its end is not known; closing the connection") \
	X(RATE, 450, "4.7.1", "You have sent as much as you may for now; %d") \
	X(PRIORITY_LATER, 450, "4.7.15", "Only urgent mail is taken just " \
	    "now; send the message later, or with a priority of %d or " \
	    "more") \
	X(TROUBLE, 451, "4.3.0", "Local trouble, nothing was accepted; try " \
	    "again later") \
	X(PAUSED, 451, "4.3.0", "No mail is accepted just now: the operator " \
	    "has paused it; try again later") \
	X(NO_SPACE, 452, "4.3.1", "No space for mail just now, try again " \
	    "later") \
	X(QUEUE_FULL, 452, "4.3.1", "Too much of your mail waits to be " \
	    "delivered; try again when some of it is gone") \
	X(TOO_MANY_RCPTS, 452, "4.5.3", "Too many recipients, send the rest " \
	    "in another message") \
	X(NO_TLS, 454, "4.7.0", "TLS is not available just now, try again " \
	    "later") \
	X(AUTH_BUSY, 454, "4.7.0", "The login cannot be checked just now, " \
	    "try again later") \
	X(BAD_LINE, 500, "5.5.2", "The line is too long or holds octets that " \
	    "no command may have") \
	X(UNKNOWN_VERB, 500, "5.5.2", "This command is not known here") \
	X(SASL_TOO_LONG, 500, "5.5.6", "The authentication line is too long") \
	X(BAD_HELO, 501, "", "%h Give a host name or address literal after " \
	    "the command") \
	X(BAD_SENDER, 501, "5.1.7", "The sender address is not valid; check " \
	    "its spelling") \
	X(BAD_RCPT, 501, "5.1.3", "The recipient address is not valid; check " \
	    "its spelling") \
	X(BAD_SYNTAX, 501, "5.5.2", "The command is not written as RFC 5321 " \
	    "has it") \
	X(BAD_PRIORITY, 501, "5.5.2", "The priority is not a number from -9 " \
	    "to 9") \
	X(BAD_BASE64, 501, "5.5.2", "The authentication response is not " \
	    "valid base64") \
	X(BAD_PARAMETER, 501, "5.5.4", "A parameter is missing, repeated or " \
	    "has a bad value") \
	X(HOLD_PAST, 501, "5.5.4", "The time until which the message is to " \
	    "be held is not one to come") \
	X(HOLD_FAR, 501, "5.5.4", "A message is held for %d seconds at most") \
	X(HOLD_BY, 501, "5.5.4", "The message is to be held for longer than " \
	    "it has to be delivered") \
	X(AUTH_CANCELLED, 501, "5.7.0", "Authentication cancelled") \
	X(NOT_IMPLEMENTED, 502, "5.5.1", "This command is not offered here") \
	X(NEED_HELO, 503, "5.5.1", "Say EHLO first") \
	X(NEED_MAIL, 503, "5.5.1", "Give the sender with MAIL first") \
	X(NEED_RCPT, 503, "5.5.1", "Give sender and recipients with MAIL and " \
	    "RCPT first") \
	X(IN_MAIL, 503, "5.5.1", "A message is under way already; end it or " \
	    "say RSET") \
	X(IN_CHUNKS, 503, "5.5.1", "The message is being sent with BDAT; end " \
	    "it with LAST or say RSET") \
	X(NEED_BDAT, 503, "5.5.1", "A message of BODY=BINARYMIME is sent " \
	    "with BDAT") \
	X(IN_TLS, 503, "5.5.1", "TLS is up already") \
	X(IN_AUTH, 503, "5.5.1", "You are logged in already") \
	X(SEQUENCE, 503, "5.5.1", "The command is not due now") \
	X(BARRED, 503, "5.5.1", "Nothing is accepted from you here; say QUIT") \
	X(BAD_MECHANISM, 504, "5.5.4", "This login method is not offered " \
	    "here; use one of the EHLO list") \
	X(AUTH_DISABLED, 525, "5.7.13", "This account is disabled; ask your " \
	    "administrator") \
	X(NEED_TLS, 530, "5.7.0", "Start TLS first: set your mail program to " \
	    "use STARTTLS") \
	X(NEED_AUTH, 530, "5.7.0", "Log in first: set your mail program to " \
	    "use a password") \
	X(AUTH_WEAK, 534, "5.7.9", "This login method is too weak for your " \
	    "account; set your mail program to use another one") \
	X(AUTH_FAILED, 535, "5.7.8", "User name or password is wrong") \
	X(AUTH_EXPIRED, 535, "5.7.8", "Your password has expired; set a new " \
	    "one") \
	X(CLEAR_AUTH, 538, "5.7.11", "A password may not be sent in clear; " \
	    "start TLS first") \
	X(SENDER_8BIT, 550, "5.6.7", "The sender address has characters " \
	    "outside ASCII, for which MAIL needs SMTPUTF8") \
	X(SENDER_DENIED, 550, "5.7.1", "You may not send with this sender " \
	    "address; use your own") \
	X(FROM_DENIED, 550, "5.7.1", "You may not send in this name: %d; " \
	    "use your own address") \
	X(RCPT_DENIED, 550, "5.7.1", "You may not send to this recipient") \
	X(NO_ROUTE, 550, "5.7.1", "Your login may not send mail this way; " \
	    "ask your administrator") \
	X(RULE, 550, "5.7.1", "Mail like this is not accepted now: %d") \
	X(PRIORITY_FLOOR, 550, "5.7.15", "Mail of so low a priority is not " \
	    "taken here; it must be %d or more") \
	X(TOO_BIG, 552, "5.3.4", "The message is too big; send less or in " \
	    "parts") \
	X(HELD_QUOTA, 552, "5.7.16", "Too many of your messages wait for a " \
	    "time that you gave; send this one without, or wait until some " \
	    "have gone") \
	X(PRIORITY_SIZE, 552, "5.7.16", "The message is too big for its " \
	    "priority: %d") \
	X(RCPT_8BIT, 553, "5.6.7", "The recipient address has characters " \
	    "outside ASCII, for which MAIL needs SMTPUTF8") \
	X(BARRED_GREETING, 554, "", "%h No mail is accepted from your " \
	    "address") \
	X(EARLY_GREETING, 554, "", "%h You spoke before you were greeted") \
	X(SENDER_SHORT, 554, "5.1.8", "The sender's domain is not complete; " \
	    "write it in full") \
	X(RCPT_SHORT, 554, "5.1.2", "The recipient's domain is not complete; " \
	    "write it in full") \
	X(LOOP, 554, "5.4.6", "The message has gone through too many " \
	    "servers; it loops") \
	X(NO_RCPTS, 554, "5.5.1", "No recipient was accepted") \
	X(MALFORMED, 554, "5.6.0", "The message is malformed: %d") \
	X(UNKNOWN_PARAMETER, 555, "5.5.4", "A parameter of the command is " \
	    "not supported here") \
	X(BY_SHORT, 555, "5.5.4", "The time to deliver by must be %d seconds " \
	    "ahead or more")

enum reply {
	REPLY_NONE = 0,
#define X(name, code, enh, text)	REPLY_##name,
	REPLY_TABLE(X)
#undef X
	REPLY_MAX
};

#define REPLY_LINE_MAX	512		/* with CRLF */
#define REPLY_TEXT_MAX	2048		/* what reply_format() may write */

struct reply_args {
	const char	*host;
	const char	*detail;	/* maybe from outside; NULL: none */
	const char	*sid;		/* ends the sentence of 4xx and 5xx */
};

/*
 * Write the reply with CRLF, on as many lines as 512 octets a line need, each
 * with the same codes. Characters outside ASCII are escaped (\x{E9}), other
 * octets become '?'. Returns the length; buf has REPLY_TEXT_MAX octets.
 */
size_t	 reply_format(char *buf, enum reply, const struct reply_args *);
unsigned int reply_code(enum reply);
const char *reply_enhanced(enum reply);
/* The sentence with its marks, for the log. */
const char *reply_text(enum reply);
/*
 * The reply for a verdict of queue or auth that is not VERDICT_OK: always a
 * refusal (smtp.c knows of VERDICT_PRIORITY_CHANGED).
 */
enum reply reply_of_verdict(unsigned int verdict);

#endif
