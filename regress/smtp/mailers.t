# Dialogues of mail programs as they really send them, command by command and
# in their way of grouping: which may be asked for what EHLO lists, how names
# and paths are written, what headers look like. The programs that are packages
# run themselves in interop/clients.t.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MIME::Base64;
use MIME::QuotedPrint;
use Msad;
use Test::More;

my $d = Msad->new;
my $u = $d->account(0);
my ($user, $pw, $me) = @$u{qw(name password address)};
my $date = 'Thu, 1 Jan 2026 10:00:00 +0100';

sub b64 { return encode_base64(join('', @_), '') }
sub crlf { my ($t) = @_; return $t =~ s/\r?\n/\r\n/gr }

# Send a group of lines in one write; the codes of the replies must be these.
sub group {
	my ($c, $name, $codes, @lines) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$c->send(join('', map { "$_\r\n" } @lines));
	my @r = map { $c->reply } split(/ /, $codes);
	is(join(' ', map { $_->{code} } @r), $codes, $name)
	    or diag(map { $_->{text} } @r);
	return $r[-1];
}

# EHLO, STARTTLS, EHLO as NAME; the keywords of the last.
sub hello {
	my ($helo, %o) = @_;
	my $c = $d->client(tls => $o{tls} // 'none', ehlo => 0);
	if (!$o{tls}) {
		group($c, 'EHLO before TLS', 250, "EHLO $helo");
		group($c, 'STARTTLS', 220, 'STARTTLS');
		ok($c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem"), 'handshake');
	}
	my $r = group($c, "EHLO $helo", 250, "EHLO $helo");
	my %can = map { /^250[ -](\S+)(?: (.*?))?\r/ ? ($1 => $2 // '') : () }
	    @{ $r->{lines} }[1 .. $#{ $r->{lines} }];
	return ($c, \%can);
}

# Message as text with LF; stuffed and ended as on the wire.
sub wire {
	my ($m) = @_;
	$m = crlf($m) =~ s/^\./../mgr;
	return "$m.";
}

sub arrived {
	my ($name, $m, $mark) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($got) = $d->mails_wait(1, qr/^Subject: \Q$mark\E/m);
	my ($head, $body) = split(/\r?\n\r?\n/, $got // '', 2);
	# 8-bit text may have been encoded on the way
	$body = decode_qp($body)
	    if $m =~ /Encoding: 8bit/ && $head =~ /Encoding: quoted-printable/;
	my (undef, $want) = split(/\n\n/, $m, 2);
	is(crlf($body // ''), crlf($want), "R2920-3.2-a, R6152-3-a $name: the text arrives as it was");
	return $got // '';
}

# EHLO with the address as a literal, one command at a time, BODY and SIZE
# whenever listed, AUTH PLAIN with initial response.
subtest 'Thunderbird' => sub {
	my ($c, $can) = hello('[192.168.178.23]');
	like($can->{AUTH} // '', qr/\bPLAIN\b/, 'PLAIN is offered');
	group($c, 'login', 235, 'AUTH PLAIN ' . b64("\0$user\0$pw"));
	my $m = <<"M";
Message-ID: <8b1b31a5-6c11-4a2f-9d2c-5f2b7f3c9a11\@example.org>
Date: $date
MIME-Version: 1.0
User-Agent: Mozilla Thunderbird
Content-Language: en-US
To: someone\@x.example, =?UTF-8?Q?J=C3=B6rg?= <joerg\@x.example>
From: A User <$me>
Subject: bird =?UTF-8?Q?gr=C3=BC=C3=9Fe?=
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: 8bit

Gr\xc3\xbc\xc3\x9fe \n. one dot
.
--\x20
sig
M
	my $size = length(crlf($m));
	my $mail = "MAIL FROM:<$me>";
	$mail .= ' BODY=8BITMIME' if exists $can->{'8BITMIME'};
	$mail .= " SIZE=$size" if exists $can->{SIZE};
	$mail .= ' RET=HDRS ENVID=<8b1b31a5@example.org>' =~ s/[<>]//gr
	    if exists $can->{DSN};
	group($c, $mail, 250, $mail);
	for my $to ('someone@x.example', 'joerg@x.example') {
		group($c, "RCPT $to", 250, "RCPT TO:<$to>" .
		    (exists $can->{DSN} ? ' NOTIFY=FAILURE' : ''));
	}
	group($c, 'DATA', 354, 'DATA');
	group($c, 'message', 250, wire($m));
	arrived('Thunderbird', $m, 'bird');
	group($c, 'QUIT', 221, 'QUIT');
};

# The name of the computer, AUTH LOGIN step by step, a blank before paths.
subtest 'Outlook' => sub {
	my ($c, $can) = hello('DESKTOP_7QK3F1A', tls => 'tls');
	like($can->{AUTH} // '', qr/\bLOGIN\b/, 'LOGIN is offered');
	my $r = group($c, 'AUTH LOGIN', 334, 'AUTH LOGIN');
	is($r->{text}, "334 VXNlcm5hbWU6\r\n", 'user name is asked for');
	$r = group($c, 'user', 334, b64($user));
	is($r->{text}, "334 UGFzc3dvcmQ6\r\n", 'password is asked for');
	group($c, 'password', 235, b64($pw));
	my $m = <<"M";
From: "User, A" <$me>
To: "'Someone Else'" <someone\@x.example>,
\t<second\@x.example>
Subject: outlook RE: [PATCH] list
Date: $date
Message-ID: <001301d66a3a\$75ac6c90\$610545b0\$\@example.org>
MIME-Version: 1.0
Content-Type: multipart/alternative;
\tboundary="----=_NextPart_000_0014_01D66A42.D7728AA0"
X-Mailer: Microsoft Outlook 16.0
Thread-Index: AdZqOnOQ8gx5jXAAVRtvfwA7Pf4CaY7T1ag==
Content-Language: en-us

This is a multipart message in MIME format.

------=_NextPart_000_0014_01D66A42.D7728AA0
Content-Type: text/plain;
\tcharset="utf-8"
Content-Transfer-Encoding: quoted-printable

caf=C3=A9
------=_NextPart_000_0014_01D66A42.D7728AA0--
M
	group($c, 'MAIL with a blank', 250, "MAIL FROM: <$me>");
	group($c, 'RCPT with a blank', 250, 'RCPT TO: <someone@x.example>');
	group($c, 'RCPT with a blank', 250, 'RCPT TO: <second@x.example>');
	group($c, 'DATA', 354, 'DATA');
	group($c, 'message', 250, wire($m));
	my $got = arrived('Outlook', $m, 'outlook');
	like($got, qr/^Message-ID: <001301d66a3a\$75ac6c90\$610545b0\$\@/m,
	    'R6409-8.3-a its Message-ID is kept');
	group($c, 'RSET between messages', 250, 'RSET');
	group($c, 'QUIT', 221, 'QUIT');
};

# A second message on the same connection; Mime-Version with a comment.
subtest 'Apple Mail' => sub {
	my ($c, $can) = hello('smtpclient.apple');
	group($c, 'login', 235, 'AUTH PLAIN ' . b64("\0$user\0$pw"));
	for my $n (1, 2) {
		my $m = <<"M";
From: A User <$me>
Content-Type: text/plain;
\tcharset=utf-8
Content-Transfer-Encoding: quoted-printable
Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3774.300.61.1.2\\))
Subject: apple $n
Message-Id: <A110805F-3448-4A87-AE70-F94A394EA82$n\@example.org>
Date: $date
To: Someone <someone\@x.example>
X-Mailer: Apple Mail (2.3774.300.61.1.2)

2023=E5=B9=B412=E6=9C=88 =E5=86=99=E9=81=93=EF=BC=9A
..two dots
M
		group($c, 'MAIL', 250, "MAIL FROM:<$me>" .
		    (exists $can->{SIZE} ? ' SIZE=' . length(crlf($m)) : ''));
		group($c, 'RCPT', 250, 'RCPT TO:<someone@x.example>');
		group($c, 'DATA', 354, 'DATA');
		group($c, 'message', 250, wire($m));
		my $got = arrived('Apple Mail', $m, "apple $n");
		like($got, qr/^Mime-Version: 1\.0 \(Mac OS X Mail 16\.0 \\\(3774\.300\.61\.1\.2\\\)\)\r?$/m,
		    'the comment with quoted parentheses is kept');
	}
	group($c, 'QUIT', 221, 'QUIT');
};

# The group of MAIL, RCPT and DATA in one write where PIPELINING is listed.
subtest 'msmtp' => sub {
	my ($c, $can) = hello('localhost');
	ok(exists $can->{PIPELINING}, 'PIPELINING is listed');
	group($c, 'login', 235, 'AUTH PLAIN ' . b64("\0$user\0$pw"));
	my $m = "From: $me\nTo: a\@x.example\nSubject: msmtp\n\n.x\nplain\n";
	group($c, 'envelope and DATA in one group', '250 250 250 354',
	    "MAIL FROM:<$me>", 'RCPT TO:<a@x.example>', 'RCPT TO:<b@x.example>',
	    'DATA');
	group($c, 'message', 250, wire($m));
	my $got = arrived('msmtp', $m, 'msmtp');
	like($got, qr/^Message-ID: </mi, 'R6409-8.3-a a Message-ID is added');
	group($c, 'QUIT', 221, 'QUIT');
};

subtest 'mutt' => sub {
	my ($c, $can) = hello('laptop.home.arpa');
	group($c, 'login', 235, 'AUTH PLAIN ' . b64("$user\0$user\0$pw"));
	my $m = "Date: $date\nFrom: A User <$me>\nTo: a\@x.example\n" .
	    "Subject: mutt\nMessage-ID: <aVY3hQ2kZ1/x+Yb=\@laptop>\n" .
	    "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n" .
	    "Content-Disposition: inline\nContent-Transfer-Encoding: 8bit\n" .
	    "User-Agent: Mutt/2.2.9 (2022-11-12)\n\nd\xc3\xa9j\xc3\xa0 vu\n";
	group($c, 'MAIL', 250, "MAIL FROM:<$me>" .
	    (exists $can->{'8BITMIME'} ? ' BODY=8BITMIME' : ''));
	group($c, 'RCPT', 250, 'RCPT TO:<a@x.example>');
	group($c, 'DATA', 354, 'DATA');
	group($c, 'message', 250, wire($m));
	my $got = arrived('mutt', $m, 'mutt');
	like($got, qr{^Message-ID: <aVY3hQ2kZ1/x\+Yb=\@laptop>\r?$}m,
	    'R6409-8.3-a a Message-ID of a single label is kept');
	group($c, 'QUIT', 221, 'QUIT');
};

# Recipients in a group where PIPELINING is listed, SIZE never, a dash in
# front of the address literal it may say, one connection for many messages.
subtest 'nodemailer' => sub {
	my ($c, $can) = hello('[127.0.0.1]', tls => 'tls');
	group($c, 'login', 235, 'AUTH PLAIN ' . b64("\0$user\0$pw"));
	for my $n (1 .. 3) {
		my $m = "From: A User <$me>\nTo: a\@x.example, b\@x.example\n" .
		    "Subject: nodemailer $n\n" .
		    "Message-ID: <2f1d7a0c-7f3d-1e9b-5b0c-0d8a7e0f5c1$n\@example.org>\n" .
		    "Content-Transfer-Encoding: 7bit\nDate: $date\n" .
		    "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n" .
		    "hello $n\n";
		group($c, 'MAIL', 250, "MAIL FROM:<$me>");
		group($c, 'RCPT, RCPT', '250 250', 'RCPT TO:<a@x.example>',
		    'RCPT TO:<b@x.example>');
		group($c, 'DATA', 354, 'DATA');
		group($c, 'message', 250, wire($m));
		arrived('nodemailer', $m, "nodemailer $n");
	}
	group($c, 'QUIT', 221, 'QUIT');
};

# Net::SMTP: EHLO again after the login's module was found, no parameters; a
# patch whose lines begin with dots and "From ".
subtest 'git send-email' => sub {
	my ($c, $can) = hello('localhost.localdomain');
	group($c, 'login', 235, 'AUTH PLAIN ' . b64("\0$user\0$pw"));
	my $m = <<"M";
From: A User <$me>
To: list\@x.example
Cc: "Somebody O. Else" <else\@x.example>
Subject: git [PATCH 1/2] parser: do not
 guess
Date: $date
Message-Id: <20260101090000.12345-1-user\@example.org>
X-Mailer: git-send-email 2.39.5
In-Reply-To: <cover.1767258000.git.user\@example.org>
References: <cover.1767258000.git.user\@example.org>
MIME-Version: 1.0
Content-Transfer-Encoding: 8bit

From here on it is body.
---
 a.c | 2 +-
.hidden
--\x20
2.39.5

M
	group($c, 'MAIL', 250, "MAIL FROM:<$me>");
	group($c, 'RCPT', 250, "RCPT TO:<$_>") for qw(list@x.example else@x.example);
	group($c, 'DATA', 354, 'DATA');
	group($c, 'message', 250, wire($m));
	arrived('git send-email', $m, 'git [PATCH');
	group($c, 'QUIT', 221, 'QUIT');
};

$d->done;
done_testing;
