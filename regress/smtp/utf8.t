# SMTPUTF8 (RFC 6531, RFC 6532, RFC 6533) as a client sees it: addresses and
# headers in UTF-8, domains with U-labels, and what stays ASCII all the same.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use POSIX ();
use Test::More;

my $U = "m\xc3\xbcnchen.example";
my $A = 'xn--mnchen-3ya.example';
my $jo = "j\xc3\xb6rg\@$U";

my $d = Msad->new(start => 0);	# and many bad commands in one session
my ($ann, $bob, $cat) = map { $d->account($_) } 0 .. 2;
my $me = $ann->{address};
$d->{relay} = "relay \"hop\" { host \"127.0.0.1\" port 25 }\n";
my $hop = $d->nexthop(ehlo => ['8BITMIME', 'DSN']);
$d->{relay} = "relay \"hop\" { host \"127.0.0.1\" port $hop->{port} }\n";
$d->{tables} = "table \"t\" { \"$ann->{name}\" = \"$jo, a\@$A, \@b\xc3\xbccher.example\" }\n" .
    "table \"h\" { \"$bob->{name}\" = \"$bob->{address}\" }\n" .
    "append-domain { \"xn--mnchen-3ya\" } \"example.org\"\n";
$d->{match} = "match from auth sender <h> from-mismatch add-sender relay \"hop\"\n" .
    "match from auth sender <t> from-mismatch add-sender relay \"box\"\n" .
    "match from auth sender own relay \"box\"\n";
$d->{extra} = "limit session { bad-commands 250 }\nlisten on socket \"$d->{dir}/submit.sock\"\n" .
    "match from local sender any relay \"box\"\n";
$d->write_conf;
$d->start;

# Every reply that any client here gets has to be ASCII (R6531-3.7.4-a).
my ($replies, @raw) = (0);
{
	no warnings 'redefine';
	my $reply = \&Msad::Smtp::reply;
	*Msad::Smtp::reply = sub {
		my $r = $reply->(@_);
		$replies++;
		push @raw, $r->{text} if $r->{text} =~ /[^\r\n\x20-\x7e]/;
		return $r;
	};
}

my $c = $d->client(ehlo => 0);
my $r = $c->cmd('EHLO client.example');
like($r->{text}, qr/^250[- ]SMTPUTF8\r$/m, 'R6531-3.1-a SMTPUTF8 is listed without a parameter');
like($r->{text}, qr/^250[- ]8BITMIME\r$/m, 'R6531-3.1-a 8BITMIME with it');
$c->close;

sub mail_is {
	my ($c, $line, $want, $what) = @_;
	my $r = $c->cmd("MAIL FROM:$line");
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$r->{code} $r->{enh}", $want, $what) or diag($r->{text});
	$c->cmd('RSET') if $r->{code} == 250;
}

$c = $d->session(0);
mail_is($c, "<$me> SMTPUTF8=x", '501 5.5.4', 'R6531-3.1-a SMTPUTF8 takes no value');
mail_is($c, "<$me> SMTPUTF8=", '501 5.5.4', 'R6531-3.1-a not even an empty one');
mail_is($c, "<$me> SMTPUTF8 smtputf8", '501 5.5.4', 'R5321-4.1.2 once is enough');
mail_is($c, "<$me> smtpUTF8 BODY=8BITMIME", '250 2.1.0', 'R6531-3.4-a an ASCII sender with it');
mail_is($c, "<> SMTPUTF8", '250 2.1.0', 'R6531-3.4-a the null one');
mail_is($c, "<$jo>", '550 5.6.7', 'R6531-3.4-a MAIL in UTF-8 without SMTPUTF8');
mail_is($c, "<a\@$U>", '550 5.6.7', 'R6531-3.4-a the domain alone');
mail_is($c, "<$jo> BODY=8BITMIME SIZE=100", '550 5.6.7', 'R6531-3.4-a with other parameters');
mail_is($c, "<$jo> SMTPUTF8", '250 2.1.0', 'R6531-3.4-a with it');
mail_is($c, "<j\xc3\xb6rg\@$A> SMTPUTF8", '250 2.1.0', 'P3 the A-label is the same domain');
mail_is($c, "<a\@$A>", '250 2.1.0', 'P3 and needs no SMTPUTF8');
mail_is($c, "<a\@$U> SMTPUTF8", '250 2.1.0', 'P3 as a U-label');
mail_is($c, "<a\@mu\xcc\x88nchen.example> SMTPUTF8", '250 2.1.0',
    'R6531-3.3-a a decomposed domain is composed');
mail_is($c, "<x\@B\xc3\xbccher.EXAMPLE> SMTPUTF8", '250 2.1.0', 'P3 a domain of a table');
mail_is($c, "<x\@xn--bcher-kva.example>", '250 2.1.0', 'P3 and its A-label');
mail_is($c, "<jo\xcc\x88rg\@$U> SMTPUTF8", '550 5.7.1',
    'P3 a decomposed local part is another mailbox');

# --- what is not well-formed ---
my @bad = (
	['Latin-1', "j\xf6rg\@$U"], ['cut off', "j\xc3\@$U"], ['overlong', "j\xc0\xb6rg\@$U"],
	['overlong of three', "j\xe0\x80\xb6\@$U"], ['a surrogate', "j\xed\xa0\x80\@$U"],
	['over U+10FFFF', "j\xf4\x90\x80\x80\@$U"], ['a C1 control', "j\xc2\x85rg\@$U"],
	['a C1 control in quotes', "\"j\xc2\x9f\"\@$U"], ['a quoted pair', "\"\\\xc3\xb6\"\@$U"],
	['a symbol as domain', "a\@\xe2\x98\x83.net"], ['a wide dot', "a\@m\xc3\xbcn\xef\xbc\x8enet"],
	['an ideographic dot', "a\@m\xc3\xbcn\xe3\x80\x82net"],
	['a wide at sign', "a\xef\xbc\xa0$U"], ['a capital U-label', "a\@M\xc3\x9cNCHEN.example"],
	['a zero width space', "a\@m\xc3\xbc\xe2\x80\x8bn.example"],
	['a false A-label', "a\@xn--0.b\xc3\xbc.example"], ['an underscore', "a\@m_\xc3\xbc.example"],
	['an empty label', "a\@m\xc3\xbc..example"], ['Latin-1 domain', "a\@m\xfcn.example"],
	['no domain', "j\xc3\xb6rg"], ['65 octets', "\xc3\xb6" x 32 . "x\@$U"],
	['a long label', 'a@' . "\xc3\xbc" x 58 . '.example'],
	['a long path', 'x' x 64 . '@' . "\xe6\x97\xa5\xe6\x9c\xac." x 27 . 'example'],
	['long A-labels', 'x@' . "\xe6\x97\xa5\xc3\xbcaaa." x 20 . 'example'],
	['long with A-labels', 'x' x 64 . '@' . "\xe6\x97\xa5\xc3\xbcaaa." x 13 . 'example'],
	['a literal', "a\@[192.0.2.\xc3\xbc]"],
);
for my $t (@bad) {
	mail_is($c, "<$t->[1]> SMTPUTF8", '501 5.1.7', "R6531-3.3-a, X-utf8-1 MAIL: $t->[0]");
	mail_is($c, "<$t->[1]>", '550 5.6.7', "X-utf8-1 MAIL without SMTPUTF8: $t->[0]")
	    if $t->[1] =~ /[\x80-\xff]/;
}
is($c->cmd("MAIL FROM:<$me> SMTPUTF8")->{code}, 250, 'a transaction for RCPT');
for my $t (@bad) {
	$r = $c->cmd("RCPT TO:<$t->[1]>");
	is("$r->{code} $r->{enh}", '501 5.1.3', "R6531-3.3-a, X-utf8-1 RCPT: $t->[0]");
}
for my $to ($jo, "a\@$U", "\"j\xc3\xb6 rg\"\@$U", "\xe6\x97\xa5\xe6\x9c\xac\@example.net",
    "\xf0\x9f\x98\x80\@example.net", "\xc3\xb6" x 32 . "\@$U", "a\xef\xbc\xa0b\@$U") {
	$r = $c->cmd("RCPT TO:<$to>");
	is("$r->{code} $r->{enh}", '250 2.1.5', "R6531-3.4-a RCPT TO:<$to>");
}
$c->cmd('RSET');
$c->quit;

$c = $d->session(0);
is($c->cmd("MAIL FROM:<$me>")->{code}, 250, 'MAIL without SMTPUTF8');
for my $to ($jo, "a\@$U", "j\xf6rg\@$U") {
	$r = $c->cmd("RCPT TO:<$to>");
	is("$r->{code} $r->{enh}", '553 5.6.7', "R6531-3.4-a RCPT in UTF-8 after it: $to");
}
$c->cmd('RSET');
$c->cmd("MAIL FROM:<$me> SMTPUTF8");
$c->cmd('RSET');
$c->cmd("MAIL FROM:<$me>");
$r = $c->cmd("RCPT TO:<$jo>");
is("$r->{code} $r->{enh}", '553 5.6.7', 'R6531-3.4-a the MAIL that counts is the last one');
$c->cmd('RSET');

# --- octets above 127 elsewhere ---
for my $line ("NOOP \xc3\xb6", "VRFY j\xc3\xb6rg", "HELP \xc3\xb6", "M\xc3\xa4IL FROM:<$me>",
    "MAIL FROM:<$me> SMTPUTF8 X=\xc3\xb6", "MAIL FROM\xc3\xb6:<$me> SMTPUTF8",
    "RSET \xc3\xb6", "BDAT \xc3\xb6") {
	my $s = $d->session(0);
	$r = $s->cmd($line);
	my $want = $line =~ /^BDAT/ ? qr/^(421|50[01])$/ : qr/^500$/;
	like($r->{code}, $want, "R5321-2.4-b $line");
	$s->close;
}
$c->cmd("MAIL FROM:<$me> SMTPUTF8");
$r = $c->cmd("RCPT TO:<x\@y.example> NOTIFY=\xc3\xb6");
is("$r->{code} $r->{enh}", '501 5.5.4', 'R5321-2.4-b nor in a parameter that is no address');
$c->cmd('RSET');
for my $name ("\xc3\xb6.example", "m\xc3\xbcnchen.example") {
	my $s = $d->client(ehlo => 0);
	is($s->cmd("EHLO $name")->{code}, 501, 'R5321-4.1.1.1-b the name of EHLO is ASCII');
	$s->close;
}
for my $arg ('x SMTPUTF8', "j\xc3\xb6rg SMTPUTF8", "\"j\xc3\xb6rg\"\@$U smtputf8") {
	$r = $c->cmd("VRFY $arg");
	is("$r->{code} $r->{enh}", '252 2.5.0', "R6531-3.7.4-a VRFY $arg");
}
is($c->cmd("VRFY j\xc3 SMTPUTF8")->{code}, 500, 'R6531-3.7.4-a VRFY with what is not UTF-8');

# --- AUTH= ---
mail_is($c, "<$me> SMTPUTF8 AUTH=j+C3+B6rg\@$A", '250 2.1.0', 'R4954-5 AUTH= may hold UTF-8');
mail_is($c, "<$me> SMTPUTF8 AUTH=<>", '250 2.1.0', 'R4954-5 and be null');
mail_is($c, "<$me> SMTPUTF8 AUTH=j+C2+85\@x.example", '501 5.5.4',
    'R4954-5 but no control characters');

# --- messages ---
my $serial = 0;
sub sent {
	my ($c, $from, $to, $header, %o) = @_;
	my $id = sprintf('utf-%d', ++$serial);
	my $r = $c->submit($from, $to, "${header}X-Id: $id\r\n\r\n" . ($o{body} // "x\r\n"),
	    mail => $o{mail} // ' SMTPUTF8');
	$c->cmd('RSET') if $r->{code} != 250;
	return ($r, '') if $r->{code} != 250 || $o{hop};
	my $re = qr/^X-Id: \Q$id\E\r?$/m;
	$d->mails_wait(1, $re) or return ($r, '');
	my ($mail) = grep { $_ =~ $re } $d->mails;
	$mail =~ s/\r\n/\n/g;
	return ($r, $mail);
}

my @fields = ("From: J\xc3\xb6rg <$jo>", "To: \"B\xc3\xbccher, A.\" <info\@b\xc3\xbccher.example>,",
    " \xe6\x97\xa5\xe6\x9c\xac <\xe6\x97\xa5\@\xe6\x9c\xac.example> (\xc3\xb6)",
    "Subject: Gr\xc3\xbc\xc3\x9fe \xf0\x9f\x98\x80", "Date: Sun, 22 Nov 2026 10:00:00 +0000 (\xc3\xb6)",
    "Message-ID: <\xc3\xb6\@$A>", "Comments: nfd u\xcc\x88", "X-Long: " . "\xc3\xb6" x 495);
my $head = join("\r\n", @fields) . "\r\n";
my $mail;
($r, $mail) = sent($c, $jo, "x\@$U", $head);
is($r->{code}, 250, 'R6532-3-a a header full of UTF-8 is taken') or diag($r->{text});
for my $f (@fields) {
	like($mail, qr/^\Q$f\E$/m, 'R6532-3-a ' . substr($f, 0, 20) . ' stays as it is');
}
like($mail, qr/^Return-Path: <\Q$jo\E>$/m, 'R6531-3.7.3 the envelope sender as given');
like($mail, qr/^\twith UTF8SMTPSA id [0-9a-f]+$/m, 'R3848-1-a, R6531-3.7.3 with UTF8SMTPSA');
like($mail, qr/^\tfor <x\@\Q$A\E>/m, 'R6531-3.7.3 the recipient with an A-label');
($r, $mail) = sent($c, $jo, $jo, "From: $jo\r\n");
like($mail, qr/^\tfor <\Q$jo\E>/m, 'R6531-3.7.3 or in UTF-8 when it needs it');
($r, $mail) = sent($c, $me, "x\@$A", "From: $me\r\n", mail => '');
like($mail, qr/^\twith ESMTPSA id /m, 'R3848-1-a ESMTPSA when SMTPUTF8 was not asked');
($r, $mail) = sent($c, $me, 'x@y.example', "From: $me\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\n", mail => '');
like($mail, qr/^Subject: =\?utf-8\?[QB]\?/m, 'R6409-6.5-a UTF-8 is encoded when SMTPUTF8 was not asked');
($r) = sent($c, $me, 'x@y.example', "From: $me\r\nTo: $jo\r\n", mail => '');
is("$r->{code} $r->{enh}", '554 5.6.0', 'R6409-6.5-a or refused where it cannot be');

for my $t (['a field name', "Subj\xc3\xa9ct: x\r\n", 'field'],
    ['Latin-1', "Subject: \xe9\r\n", 'UTF-8'], ['overlong', "Subject: \xc0\xaf\r\n", 'UTF-8'],
    ['a surrogate', "Subject: \xed\xa0\x80\r\n", 'UTF-8'],
    ['a C1 control', "Subject: \xc2\x85\r\n", 'UTF-8'],
    ['a C1 control in a name', "To: \"\xc2\x85\" <a\@b.example>\r\n", 'UTF-8'],
    ['Latin-1 in an address', "To: j\xf6\@b.example\r\n", 'UTF-8'],
    ['999 octets, 500 characters', 'X-Long: ' . "\xc3\xb6" x 495 . "x\r\n", '998']) {
	($r) = sent($c, $jo, 'x@y.example', "From: $jo\r\n$t->[1]");
	is("$r->{code} $r->{enh}", '554 5.6.0', "R6532-3-a, X-utf8-1 $t->[0]");
	like($r->{text}, qr/$t->[2]/, 'and the reply says what');
}

# --- rights, and what replies say ---
$c->quit;
$c = $d->session(2);
my $cat_me = $cat->{address};
($r) = sent($c, $cat_me, 'x@y.example', "From: <$jo>\r\n");
is("$r->{code} $r->{enh}", '550 5.7.1', 'R6409-6.1-b From in UTF-8 that is another\'s');
like($r->{text}, qr/j\\x\{F6\}rg\@m\\x\{FC\}nchen\.example/, 'R6531-3.7.4-a the reply escapes it');
$c->quit;

# --- what we write ourselves ---
$c = $d->session(0);
($r, $mail) = sent($c, $jo, "x\@m\xc3\xbcnchen", "From: b\@m\xc3\xbcnchen\r\nTo: c\@xn--mnchen-3ya\r\n");
is($r->{code}, 250, 'R6409-4.2-b a label is completed, U-label or A-label') or diag($r->{text});
like($mail, qr/^From: b\@m\xc3\xbcnchen\.example\.org$/m, 'R6409-4.2-c in the header too');
like($mail, qr/^To: c\@xn--mnchen-3ya\.example\.org$/m, 'and the other way');
like($mail, qr/^Sender: \Q$me\E$/m, 'R6409-8.1-a Sender is added');
$c->quit;

# --- Authentication-Results: hostname is ASCII here, other names may be UTF-8 ---
$c = $d->session(0);
($r, $mail) = sent($c, $jo, 'x@y.example', "Authentication-Results: mail.EXAMPLE.org; none\r\n" .
    "Authentication-Results: $U; none\r\nFrom: $jo\r\n");
unlike($mail, qr/mail\.EXAMPLE/, 'R8601-5-a ours is removed');
like($mail, qr/^Authentication-Results: \Q$U\E; none$/m, 'R8601-5-a that of a U-label stays');
$c->quit;

# --- parts and bodies ---
$c = $d->session(0);
my $part = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n";
($r, $mail) = sent($c, $jo, 'x@y.example', "From: $jo\r\n$part", body =>
    "--b\r\nContent-Disposition: attachment; filename=\"\xc3\xb6.txt\"\r\n\r\nx\r\n--b--\r\n");
like($mail, qr/filename="\xc3\xb6\.txt"/, 'R6532-3-a UTF-8 in the header of a part');
$c->quit;

# --- ORCPT ---
$c = $d->session(1);
my $bob_me = $bob->{address};
my @orcpt = (
	["utf-8;j\xc3\xb6rg\@$U", 'utf-8;j\x{F6}rg@m\x{FC}nchen.example'],
	['utf-8;j\x{F6}rg@x.example', 'utf-8;j\x{F6}rg@x.example'],
	['rfc822;a+2Bb@x.example', 'rfc822;a+2Bb@x.example'],
);
$c->cmd("MAIL FROM:<$bob_me> SMTPUTF8");
for my $i (0 .. $#orcpt) {
	is($c->cmd("RCPT TO:<o$i\@y.example> ORCPT=$orcpt[$i][0]")->{code}, 250,
	    "R6533-3-a ORCPT=$orcpt[$i][0]");
}
for my $o ("utf-8;\xff", "utf-8;\xc2\x85", 'utf-8;\x{0A}', 'utf-8;\x{D800}', 'utf-8;a\b', 'utf-8;',
    'utf-8;a+2Bb', "rfc822;\xc3\xb6\@x.example") {
	$r = $c->cmd("RCPT TO:<bad\@y.example> ORCPT=$o");
	is("$r->{code} $r->{enh}", '501 5.5.4', "R6533-3-a ORCPT=$o");
}
$c->cmd('DATA');
$c->send("From: $bob_me\r\nSubject: orcpt\r\n\r\nx\r\n.\r\n");
is($c->reply->{code}, 250, 'R6533-3-a the message is queued');
$c->cmd("MAIL FROM:<$bob_me>");
$r = $c->cmd("RCPT TO:<x\@y.example> ORCPT=utf-8;\xc3\xb6\@x.example");
is("$r->{code} $r->{enh}", '500 5.5.2', 'R5321-2.4-b 8-bit text needs SMTPUTF8 in MAIL');
is($c->cmd('RCPT TO:<x@y.example> ORCPT=utf-8;\x{F6}@x.example')->{code}, 250,
    'R6533-3-a escapes do not');
$c->quit;
ok(wait_for { scalar(my @t = $hop->transactions) }, 'it arrives');
my ($t) = $hop->transactions;
for my $i (0 .. $#orcpt) {
	like("@{ $t->{rcpt_args} }", qr/<o$i\@y\.example>[^<]*ORCPT=\Q$orcpt[$i][1]\E(?: |$)/,
	    'R6533-3-a a next hop without SMTPUTF8 gets the 7-bit form');
}
unlike($t->{mail}, qr/SMTPUTF8/, 'R6531-3.2-b and no SMTPUTF8');

# --- what only the header of a part needs SMTPUTF8 for ---
$c = $d->session(1);
for my $name ('a', "\xc3\xb6") {
	($r) = sent($c, $bob_me, "part\@y.example", "From: $bob_me\r\n$part", hop => 1, body =>
	    "--b\r\nContent-Disposition: attachment; filename=\"$name.txt\"\r\n\r\nx\r\n--b--\r\n");
	is($r->{code}, 250, 'a message with a part is queued');
	if ($name eq 'a') {
		ok(wait_for { scalar(grep { "@{ $_->{rcpts} }" =~ /part/ } $hop->transactions) },
		    'R6531-3.2-b in ASCII it goes on');
		next;
	}
	ok($d->log_wait(qr/q=$r->{id}\b.*5\.6\.9/), 'R6531-3.2-b UTF-8 in the header of a part: 5.6.9');
}
$c->quit;

# --- sendmail ---
my $program = "$d->{dir}/sendmail";
spew($program, slurp("$Msad::BUILD/msactl"), 0755);
open(my $p, '|-', $program, '-S', "$d->{dir}/submit.sock", '-f', $jo, '-i', "b\xc3\xb6b\@$U") or die;
print $p "From: $jo\nSubject: sendm\xc3\xa4il\n\nx\n";
close $p;
is($? >> 8, 0, 'R6531-3.4-a sendmail with addresses in UTF-8');
my @m = $d->mails_wait(1, qr/^Subject: sendm\xc3\xa4il/m);
is(scalar(@m), 1, 'it asks for SMTPUTF8 itself');
like($m[0] // '', qr/^\twith UTF8SMTPA id/m, 'R3848-1-a UTF8SMTPA without TLS');

# --- a host name with A-labels ---
$d->stop;
(my $text = $d->conf_text) =~ s/^hostname .*$/hostname "mail.$A"/m;
$d->write_conf($text);
$d->start;
$c = $d->session(0);
($r, $mail) = sent($c, $jo, 'x@y.example', "Authentication-Results: mail.$U; auth=pass\r\n" .
    "Authentication-Results: (x) MAIL.M\xc3\xbcnchen.example 1; auth=pass\r\n" .
    "Authentication-Results: mail.mu\xcc\x88nchen.example; auth=pass\r\n" .
    "Authentication-Results: mail.XN--mnchen-3ya.example; auth=pass\r\n" .
    "Authentication-Results: mail.munchen.example; auth=other\r\nFrom: $jo\r\n");
is($r->{code}, 250, 'with a name of A-labels');
unlike($mail, qr/auth=pass/, 'R8601-5-a ours is removed as U-label and as A-label');
like($mail, qr/auth=other/, 'R8601-5-a another name stays');
like($mail, qr/^Received: from mail\.\Q$A\E by mail\.\Q$A\E$/m, 'and ours is written with A-labels');
$c->quit;

cmp_ok($replies, '>', 150, 'replies were looked at');
is(scalar(@raw), 0, 'R6531-3.7.4-a no reply holds an octet outside ASCII') or diag(@raw);
$d->done;
done_testing();
