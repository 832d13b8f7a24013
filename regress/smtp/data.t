# DATA: ends of data, dots, lines, limits, fields added, Received.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new;
my $u = $d->account(0);
my $from = "From: A User <$u->{address}>\r\n";
my $serial = 0;

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

# MAIL, RCPT, DATA on the session, then the octets as they are.
sub raw {
	my ($c, $octets, $timeout) = @_;
	$c->cmd("MAIL FROM:<$u->{address}>");
	$c->cmd('RCPT TO:<rcpt@x.example>');
	my $r = $c->cmd('DATA');
	return $r if $r->{code} != 354;
	$c->send($octets);
	return $c->reply($timeout);
}

# Submit, and the message as it arrives.
sub round {
	my ($c, $message) = @_;
	my $mark = sprintf('mark-%d-%d', $$, ++$serial);
	my $r = $c->submit($u->{address}, 'rcpt@x.example',
	    "X-Mark: $mark\r\n$message");
	return (undef, $r) if $r->{code} != 250;
	my ($m) = $d->mails_wait(1, qr/^X-Mark: \Q$mark\E\r?$/m);
	return ($m, $r);
}

sub crlf { my ($m) = @_; $m =~ s/(?<!\r)\n/\r\n/g; return $m }

my $c = $d->session(0);

subtest 'a message arrives as it was sent' => sub {
	my $body = join("\r\n", '.', '..', '.a', 'plain', '', ' . ', "\t8-bit \xc3\xa9",
	    'x' x 998, 'end') . "\r\n";
	my ($m, $r) = round($c, "${from}Subject: as it was\r\n\r\n$body");
	says($r, 250, '2.0.0', 'R5321-4.5.3.1.6-a, R6152-3-a accepted');
	like($r->{text}, qr/queued as [0-9a-f]+/, 'P8 the reply holds the queue id');
	ok(defined $m, 'R5321-6.1-a and it arrives') or return;
	my ($head, $got) = split(/\r\n\r\n/, crlf($m), 2);
	like($head, qr/^Content-Transfer-Encoding: quoted-printable\r?$/m,
	    'R6409-8.4-a 8-bit text becomes quoted-printable');
	$got =~ s/=\r\n//g;
	$got =~ s/=([0-9A-F]{2})/chr(hex($1))/ge;
	is($got, $body, 'R5321-4.5.2-a body octet for octet, decoded');
	like($head, qr/^Subject: as it was\r?$/m, 'fields kept');
};

subtest 'a message of 7-bit text arrives octet for octet' => sub {
	my $body = join("\r\n", '.', '..', '.a', 'plain', '', ' . ', "\ttab  ",
	    'x' x 998, 'a=3D', 'end', '', '') . "\r\n";
	my ($m) = round($c, "${from}Subject: as it was\r\n\r\n$body");
	ok(defined $m, 'R5321-6.1-a it arrives') or return;
	my (undef, $got) = split(/\r\n\r\n/, crlf($m), 2);
	is($got, $body, 'R5321-4.5.2-a, R5321-4.5.3.1.6-a body octet for octet');
};

subtest 'fields added' => sub {
	my ($m) = round($c, "${from}\r\nx\r\n");
	$m = crlf($m // '');
	like($m, qr/^Date: \w{3}, [ \d]?\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\r$/m,
	    'R6409-8.2-a, R5322-3.3-a Date');
	like($m, qr/^Message-ID: <[^<>\s]+\@mail\.example\.org>\r$/mi,
	    'R6409-8.3-a Message-ID');
	my ($received) = $m =~ /^(Received: .*?\r\n)(?!\s)/ms;
	ok($received, 'R5321-4.4-a Received') or return;
	(my $flat = $received) =~ s/\r\n\s+/ /g;
	like($flat, qr/by mail\.example\.org/, 'R5321-4.4-a by');
	like($flat, qr/with ESMTPSA/, 'R3848-1-a with ESMTPSA');
	like($flat, qr/ id [0-9a-f]+/, 'R5321-4.4-a id');
	like($flat, qr/; \w{3}, [ \d]?\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/,
	    'R5321-4.4-a date');
	like($flat, qr/for <rcpt\@x\.example>/, 'R5321-4.4-b for, one recipient');
	unlike($flat, qr/client\.example|127\.0\.0\.1/, 'R5321-4.4-d received-privacy');
	like($flat, qr/tls (TLS_|ECDHE)/i, 'R8314-4.3-a the cipher') ;
	my ($first) = $m =~ /\A(?:Return-Path:.*?\r\n)?([\w-]+):/;
	is($first, 'Received', 'R5321-4.4-a above every field of the client');

	my $kept = "Date: Fri, 01 Jan 1999 00:00:00 +0000\r\nMessage-ID: <kept\@x.example>\r\n";
	($m) = round($c, "${from}${kept}Received: from a by b; Fri, 01 Jan 1999 00:00:00 +0000\r\n\r\nx\r\n");
	$m = crlf($m // '');
	like($m, qr/\Q$kept\E/, 'R6409-8.2-a, R6409-8.3-a valid ones are kept');
	is(() = $m =~ /^Date:/mgi, 1, 'one Date');
	is(() = $m =~ /^Received:/mgi, 2, 'R5321-4.4-a the earlier Received stays');

	my $r = $c->submit($u->{address}, ['a@x.example', 'b@x.example'],
	    "${from}Subject: two-rcpts\r\n\r\nx\r\n");
	says($r, 250, '2.0.0', 'two recipients');
	for ($d->mails_wait(1, qr/two-rcpts/)) {
		unlike($_, qr/[ab]\@x\.example/, 'R5321-4.4-b no for with two');
	}
};

subtest 'fields that are wrong' => sub {
	my %bad = (
		'R5322-3.6-a no From' => "Subject: x\r\n\r\nx\r\n",
		'R5322-3.6-b two From' => "$from$from\r\nx\r\n",
		'R5322-3.6-b two Subject' => "${from}Subject: a\r\nSubject: b\r\n\r\nx\r\n",
		'R5322-3.6-b two Message-ID' => "${from}Message-ID: <a\@b>\r\nMessage-ID: <a\@c>\r\n\r\nx\r\n",
		'R5322-2.2-a no colon' => "${from}Subject\r\n\r\nx\r\n",
		'R5322-2.2-a mbox From' => "From x\@y Thu\r\n$from\r\nx\r\n",
		'R5322-2.2.3-a a fold first' => " x\r\n$from\r\nx\r\n",
		'R5322-2.2-a 8-bit field name' => "${from}Sub\xc3\xa9: x\r\n\r\nx\r\n",
		'R5322-2.3-a NUL in the header' => "${from}Subject: a\0b\r\n\r\nx\r\n",
		'R5322-2.3-a NUL in the body' => "$from\r\na\0b\r\n",
		'R5321-4.5.3.1.6-b a header line over 998' => "${from}X: " . 'y' x 1000 . "\r\n\r\nx\r\n",
	);
	for my $name (sort keys %bad) {
		says($c->submit($u->{address}, 'rcpt@x.example', $bad{$name}),
		    554, '5.6.0', $name);
	}
	says(raw($c, ".\r\n"), 554, '5.6.0', 'R5321-4.1.1.4-d an empty message');
	my $loop = "Received: from a by b; Fri, 01 Jan 1999 00:00:00 +0000\r\n";
	says($c->submit($u->{address}, 'rcpt@x.example',
	    $loop x 101 . "${from}\r\nx\r\n"), 554, '5.4.6', 'R5321-6.3-a 101 Received');
	says($c->submit($u->{address}, 'rcpt@x.example',
	    $loop x 100 . "${from}\r\nx\r\n"), 250, '2.0.0', 'R5321-6.3-a exactly 100');
	says($c->cmd('NOOP'), 250, '2.0.0', 'the session goes on');
};

subtest 'smuggling' => sub {
	my %ends = (
		'LF.LF' => "\n.\n", 'LF.CRLF' => "\n.\r\n", 'CRLF.LF' => "\r\n.\n",
		'CR.CR' => "\r.\r", 'CRLF.CR' => "\r\n.\r", 'CR.CRLF' => "\r.\r\n",
		'CRLF NUL.CRLF' => "\r\n\0.\r\n", 'LF.CR' => "\n.\r",
		'CR.LF' => "\r.\n",
	);
	for my $name (sort keys %ends) {
		my $s = $d->session(0);
		my $text = "${from}Subject: smuggle\r\n\r\nfirst$ends{$name}" .
		    "MAIL FROM:<$u->{address}>\r\nRCPT TO:<evil\@x.example>\r\n" .
		    "DATA\r\n${from}Subject: smuggled\r\n\r\nsecond\r\n.\r\n";
		says(raw($s, $text), 554, '5.6.0',
		    "X-smug-1, R5321-2.3.8-a $name: refused at the true end");
		my $r = $s->cmd('NOOP');
		says($r, 250, '2.0.0', "X-smug-1 $name: one reply, in step");
		$s->quit;
	}
	for my $bare ("a\nb", "a\rb") {
		my $s = $d->session(0);
		says(raw($s, "$from\r\n$bare\r\n.\r\n"), 554, '5.6.0',
		    'R5321-4.1.1.4-b a bare CR or LF in the body');
		$s->quit;
		$s = $d->session(0);
		says(raw($s, "${from}Subject: $bare\r\n\r\nx\r\n.\r\n"), 554, '5.6.0',
		    'R5321-4.1.1.4-b a bare CR or LF in the header');
		$s->quit;
	}
	my $q = $d->session(0);
	my ($m) = round($q, "${from}Subject: fence\r\n\r\nx\r\n");
	ok(defined $m, 'a later message arrives');
	is(scalar(grep { /smuggle/ } $d->mails), 0, 'X-smug-1 zero extra messages');
	$q->quit;
};

subtest 'sizes' => sub {
	says($c->cmd("MAIL FROM:<$u->{address}> SIZE=52428801"), 552, '5.3.4',
	    'R1870-6.1-a declared');
	my $s = $d->session(0);
	$s->cmd("MAIL FROM:<$u->{address}>");
	$s->cmd('RCPT TO:<rcpt@x.example>');
	$s->cmd('DATA');
	$s->send("${from}Subject: big\r\n\r\n");
	my $block = ('x' x 78 . "\r\n") x 819;
	$s->send($block) for 1 .. 805;
	$s->send(".\r\n");
	says($s->reply(60), 552, '5.3.4', 'R5321-4.5.3.1.7-a 52.7 MB, undeclared');
	my ($worst) = sort { $b <=> $a } map {
		my $st = Msad::slurp("/proc/$_->{pid}/status");
		$st =~ /VmHWM:\s+(\d+)/ ? $1 : 0 } $d->child_named('msad-frontend');
	cmp_ok($worst, '<', 65536, "R5321-4.5.3.1.7-a memory stays flat ($worst kB)")
	    unless $Msad::BUILD =~ /asan/;
	says($s->cmd('NOOP'), 250, '2.0.0', 'in step');
	my ($m, $r) = round($s, "${from}Subject: one MB\r\n\r\n" . $block x 16);
	says($r, 250, '2.0.0', 'a message of 1 MB');
	is(length((split(/\r\n\r\n/, crlf($m // ''), 2))[1] // ''),
	    16 * length $block, 'arrives whole');
	says(raw($s, "$from\r\n" . 'x' x 70000 . "\r\n.\r\n"), 554, '5.6.0',
	    'R5321-4.5.3.1.6-b a body line over 65536');
	says(raw($s, "X: y\r\n" x 1001 . "$from\r\nx\r\n.\r\n"), 554, '5.6.0',
	    'X-hdr-1 more than 1000 fields');
	says(raw($s, ('X-Y: ' . 'z' x 900 . "\r\n") x 300 . "$from\r\nx\r\n.\r\n"),
	    552, '5.3.4', 'X-hdr-1 a header section over 262144');
	$s->quit;
};

subtest 'recipients' => sub {
	my $s = $d->session(0);
	$s->cmd("MAIL FROM:<$u->{address}>");
	$s->send(join('', map { "RCPT TO:<r$_\@x.example>\r\n" } 1 .. 1001));
	my @r = map { $s->reply } 1 .. 1001;
	is(scalar(grep { $_->{code} == 250 } @r), 1000, 'R5321-4.5.3.1.8-a 1000 are taken');
	says($r[1000], 452, '4.5.3', 'R5321-4.5.3.1.8-a number 1001');
	$s->cmd('RSET');
	$s->cmd("MAIL FROM:<$u->{address}>");
	$s->send("RCPT TO:<same\@x.example>\r\n" x 100);
	is(scalar(grep { $s->reply->{code} == 250 } 1 .. 100), 100,
	    'X-rcpt-2 the same recipient again and again: 250 each');
	$s->cmd('DATA');
	$s->send("${from}Subject: same-rcpt\r\n\r\nx\r\n.\r\n");
	says($s->reply, 250, '2.0.0', 'X-rcpt-2 accepted');
	my ($m) = round($s, "${from}Subject: after\r\n\r\nx\r\n");
	wait_for { !grep { $_->{state} && $_->{state} ne 'done' } $d->queue } 5;
	is(scalar(grep { /same-rcpt/ } $d->mails), 1, 'X-rcpt-2 one delivery');
	$s->quit;
};

subtest 'a client that leaves within DATA' => sub {
	my $s = $d->session(0);
	$s->cmd("MAIL FROM:<$u->{address}>");
	$s->cmd('RCPT TO:<rcpt@x.example>');
	$s->cmd('DATA');
	$s->send("${from}Subject: cut-off\r\n\r\nhalf of");
	$s->close;
	my ($m) = round($c, "${from}Subject: whole\r\n\r\nx\r\n");
	ok($m, 'others are served');
	is(scalar(grep { /cut-off/ } $d->mails), 0, 'P-dur-1 nothing of it is queued');
};

$c->quit;
$d->done;
done_testing;
