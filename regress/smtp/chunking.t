# CHUNKING: BDAT, what is out of order, framing, the rules of DATA in chunks.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

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

sub envelope {
	my ($c, $params) = @_;
	my $r = $c->cmd("MAIL FROM:<$u->{address}>" . ($params // ''));
	return $r if $r->{code} != 250;
	return $c->cmd('RCPT TO:<rcpt@x.example>');
}

# One chunk and its reply.
sub bdat {
	my ($c, $octets, $last) = @_;
	$c->send('BDAT ' . length($octets) . ($last ? ' LAST' : '') .
	    "\r\n$octets");
	return $c->reply(60);
}

sub mark { return sprintf('bdat-%d-%d', $$, ++$serial) }

sub arrived {
	my ($mark) = @_;
	my ($m) = $d->mails_wait(1, qr/^X-Mark: \Q$mark\E\r?$/m);
	$m //= '';
	$m =~ s/(?<!\r)\n/\r\n/g;
	return (split(/\r\n\r\n/, $m, 2))[1];
}

my $c = $d->session(0);

subtest 'chunks make a message' => sub {
	my $r = $c->cmd('EHLO client.example');
	like($r->{text}, qr/^250[- ]CHUNKING\r$/m, 'R3030-2-a CHUNKING is offered');
	my $mark = mark();
	my $body = join("\r\n", '.', '..', 'QUIT', '.', '', 'end') . "\r\n";
	my $text = "X-Mark: $mark\r\n${from}Subject: chunks\r\n\r\n$body";
	envelope($c);
	my $at = 0;
	for my $n (1, 7, 40, 0, 3) {
		says(bdat($c, substr($text, $at, $n)), 250, '2.0.0', "R3030-2-a a chunk of $n");
		$at += $n;
	}
	$r = bdat($c, substr($text, $at), 1);
	says($r, 250, '2.0.0', 'R3030-2-a LAST');
	like($r->{text}, qr/queued as [0-9a-f]+/, 'R3030-2-a the verdict is that of the end of data');
	is(arrived($mark), $body, 'R3030-2-a dots are octets like others');

	$mark = mark();
	envelope($c);
	bdat($c, "X-Mark: $mark\r\n${from}\r\none\r");
	bdat($c, "\ntwo\r\n");
	says(bdat($c, '', 1), 250, '2.0.0', 'R3030-2-a BDAT 0 LAST');
	is(arrived($mark), "one\r\ntwo\r\n", 'a CRLF in two chunks');

	$mark = mark();
	envelope($c);
	says(bdat($c, "X-Mark: $mark\r\n${from}\r\nno end", 1), 250, '2.0.0',
	    'without a last CRLF');
	is(arrived($mark), "no end\r\n", 'it gets one');
};

subtest 'pipelined' => sub {
	my $mark = mark();
	my $text = "X-Mark: $mark\r\n${from}\r\npiped\r\n";
	$c->send("MAIL FROM:<$u->{address}>\r\nRCPT TO:<rcpt\@x.example>\r\n" .
	    "BDAT 5\r\n" . substr($text, 0, 5) . 'BDAT ' . (length($text) - 5) .
	    " last\r\n" . substr($text, 5) . "NOOP\r\n");
	says($c->reply, 250, $_, "R3030-2-a pipelined: $_")
	    for qw(2.1.0 2.1.5 2.0.0 2.0.0 2.0.0);
	is(arrived($mark), "piped\r\n", 'it arrives');
};

subtest 'out of order' => sub {
	my $bad = "QUIT\r\n";
	says(bdat($c, $bad), 503, '5.5.1', 'R3030-2-b no MAIL: octets dropped');
	says(bdat($c, $bad, 1), 503, '5.5.1', 'R3030-2-b no MAIL, LAST');
	$c->cmd("MAIL FROM:<$u->{address}>");
	says(bdat($c, $bad), 503, '5.5.1', 'R3030-2-b no RCPT');
	$c->cmd('RCPT TO:<bad');
	says(bdat($c, $bad), 503, '5.5.1', 'R3030-2-b no accepted RCPT');
	says($c->cmd('RSET'), 250, '2.0.0', 'RSET');
	envelope($c);
	bdat($c, "$from\r\nx\r\n", 1);
	says(bdat($c, $bad, 1), 503, '5.5.1', 'R3030-2-b after LAST');

	my $s = $d->session(0);
	envelope($s);
	says(bdat($s, "Subject: x\r\n"), 250, '2.0.0', 'one chunk');
	says($s->cmd('DATA'), 503, '5.5.1', 'R3030-2-c DATA after BDAT');
	says($s->cmd('RCPT TO:<b@x.example>'), 503, '5.5.1', 'RCPT after BDAT');
	says($s->cmd("MAIL FROM:<$u->{address}>"), 503, '5.5.1', 'MAIL after BDAT');
	says($s->cmd('RSET'), 250, '2.0.0', 'R3030-2-c RSET drops them');
	my $mark = mark();
	envelope($s);
	says(bdat($s, "X-Mark: $mark\r\n${from}\r\nx\r\n", 1), 250, '2.0.0',
	    'R3030-2-c and the next message is whole');
	is(arrived($mark), "x\r\n", 'R3030-2-c with nothing of the first');
	envelope($s);
	bdat($s, 'Sub');
	is($s->cmd('EHLO client.example')->{code}, 250, 'R3030-2-b EHLO clears, too');
	says(bdat($s, $bad), 503, '5.5.1', 'R3030-2-b nothing is left');
	$s->quit;

	$s = $d->client(tls => 'starttls');
	$s->send("BDAT 6\r\nQUIT\r\nNOOP\r\n");
	says($s->reply, 530, '5.7.0', 'R3030-2-b before login: octets dropped');
	says($s->reply, 250, '2.0.0', 'in step');
	$s->quit;
};

subtest 'sizes' => sub {
	for my $bad ('', '-1', '1e9', '18446744073709551616', 'x', '10 LASTS',
	    '10 LAST x', "10\tLAST", '0x10') {
		my $s = $d->session(0);
		envelope($s);
		says($s->cmd("BDAT $bad"), 501, '5.5.4', "R3030-2-d, X-bdat-1 '$bad'");
		says($s->reply, 421, '4.7.0', 'R3030-2-d then the end');
		ok($s->closed, 'closed');
	}
	my $s = $d->session(0);
	envelope($s);
	my $n = 52428801;
	$s->send("BDAT $n\r\n");
	my $block = "QUIT\r\n" x 10922;
	$n -= length $block while $n > length $block && $s->send($block);
	$s->send('x' x $n);
	says($s->reply(60), 552, '5.3.4', 'R3030-2-d over the limit: drained, then refused');
	says(bdat($s, 'QUIT'), 503, '5.5.1', 'R3030-2-b after a failed chunk');
	says($s->cmd('NOOP'), 250, '2.0.0', 'in step');
	envelope($s);
	$s->send("BDAT 18446744073709551615\r\nabc");
	my ($worst) = sort { $b <=> $a } map {
		my $st = Msad::slurp("/proc/$_->{pid}/status");
		$st =~ /VmHWM:\s+(\d+)/ ? $1 : 0 } $d->child_named('msad-frontend');
	cmp_ok($worst, '<', 65536, "X-bdat-1 no memory by announced size ($worst kB)")
	    unless $Msad::BUILD =~ /asan/;
	$s->close;
	$s = $d->session(0);
	envelope($s);
	$s->send("BDAT 1000 LAST\r\n${from}Subject: cut-off\r\n\r\nhalf");
	$s->close;
	ok($d->log_wait(qr/event=disconnect reason=closed/), 'cut off by close');
};

subtest 'the rules of DATA' => sub {
	my %bad = (
		'a bare LF' => "$from\r\na\nb\r\n", 'a bare CR' => "$from\r\na\rb\r\n",
		'a CR at the end' => "$from\r\nab\r", 'NUL' => "$from\r\na\0b\r\n",
		'LF in the header' => "${from}Subject: a\nb\r\n\r\nx\r\n",
		'no From' => "Subject: x\r\n\r\nx\r\n", 'empty' => '',
		'a line over 65536' => "$from\r\n" . 'x' x 65537 . "\r\n",
	);
	for my $name (sort keys %bad) {
		my $m = $bad{$name};
		my $half = int(length($m) / 2);
		envelope($c);
		says(bdat($c, $m, 1), 554, '5.6.0', "R6409-7-e $name");
		envelope($c);
		says(bdat($c, substr($m, 0, $half)), 250, '2.0.0', 'in two chunks');
		says(bdat($c, substr($m, $half), 1), 554, '5.6.0', "R6409-7-e $name, at the end");
	}
	my $loop = "Received: from a by b; Fri, 01 Jan 1999 00:00:00 +0000\r\n";
	envelope($c);
	says(bdat($c, $loop x 101 . "${from}\r\nx\r\n", 1), 554, '5.4.6', 'R6409-7-e a loop');
	says($c->cmd('NOOP'), 250, '2.0.0', 'in step');
	is(scalar(grep { /cut-off/ } $d->mails), 0, 'X-bdat-1 nothing of a cut chunk is queued');
};

$c->quit;
$d->done;
done_testing;
