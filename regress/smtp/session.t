# The SMTP session: greeting, EHLO, TLS rules, sequence, lines, pipelining.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new;

# The reply must have these two codes ('' for no enhanced code).
sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $ok = $r->{code} == $code && $r->{enh} eq $enh;
	ok($ok, $name) or diag("wanted $code $enh, got: $r->{text}");
	return $ok;
}

subtest 'cleartext on a TLS-mandatory listener' => sub {
	my $c = $d->client(tls => 'none');
	like($c->{banner}{text}, qr/\A220 mail\.example\.org ESMTP\r\n\z/,
	    'R5321-3.1-a greeting: name first, nothing else');
	says($c->cmd('MAIL FROM:<a@b.example>'), 530, '5.7.0',
	    'P-ses-1 TLS missing comes before EHLO missing');
	my $r = $c->cmd('EHLO client.example');
	says($r, 250, '', 'R2034-3-a EHLO has no enhanced code');
	like($r->{lines}[0], qr/\A250-mail\.example\.org(?: |\r)/,
	    'R5321-4.1.1.1-a EHLO list starts with our name');
	like($r->{text}, qr/^250.STARTTLS\r$/m, 'R3207-4-a STARTTLS is listed');
	unlike($r->{text}, qr/AUTH/, 'R4954-3-a no AUTH in cleartext');
	unlike($r->{text}, qr/ETRN|ATRN|BURL|FUTURERELEASE|REQUIRETLS/,
	    'R6409-7-b and P5: nothing listed that is not honoured');
	like($r->{text}, qr/^250.PIPELINING\r$/m, 'R6409-7-a PIPELINING');
	like($r->{text}, qr/^250.ENHANCEDSTATUSCODES\r$/m,
	    'R6409-7-a ENHANCEDSTATUSCODES');
	like($r->{text}, qr/^250.8BITMIME\r$/m, 'R6409-7-a 8BITMIME');
	like($r->{text}, qr/^250.SMTPUTF8\r$/m, 'R6409-7-a, R6531-3.1-a SMTPUTF8');
	like($r->{text}, qr/^250.LIMITS MAILMAX=100 RCPTMAX=1000\r$/m,
	    'R9422-4-a LIMITS');
	like($r->{text}, qr/^250.SIZE 52428800\r$/m, 'R1870-6.1-a SIZE');
	for my $cmd ('MAIL FROM:<a@b.example>', 'RCPT TO:<a@b.example>', 'DATA',
	    'VRFY x', 'HELP', 'AUTH PLAIN AGEAYg==', 'AUTH LOGIN') {
		says($c->cmd($cmd), 530, '5.7.0', "R3207-4-b, R4954-6-d $cmd");
	}
	says($c->cmd('NOOP'), 250, '2.0.0', 'R3207-4-b NOOP is allowed');
	says($c->cmd('RSET'), 250, '2.0.0', 'R3207-4-b RSET is allowed');
	says($c->cmd('HELO x'), 250, '', 'R3207-4-b HELO is allowed');
	says($c->cmd('STARTTLS now'), 501, '5.5.4',
	    'R3207-4-a STARTTLS with an argument');
	my $q = $c->cmd('QUIT');
	says($q, 221, '2.0.0', 'R5321-4.1.1.10-a QUIT');
	like($q->{text}, qr/mail\.example\.org/, 'R5321-4.1.1.10-a with name');
	ok($c->closed, 'R5321-4.1.1.10-a and the connection closes');
};

subtest 'STARTTLS' => sub {
	my $c = $d->client(tls => 'none');
	$c->cmd('EHLO client.example');
	$c->send("STARTTLS\r\nNOOP\r\nEHLO smuggled.example\r\n");
	says($c->reply, 220, '2.0.0', 'R3207-4-a go ahead');
	ok($c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem"),
	    'R3207-6-a handshake') or diag($c->{ssl_error});
	says($c->cmd('MAIL FROM:<a@b.example>'), 503, '5.5.1',
	    'R3207-4.2-a EHLO name is forgotten; R3207-6-a no reply to what was behind STARTTLS');
	my $r = $c->cmd('EHLO client.example');
	unlike($r->{text}, qr/STARTTLS/, 'R3207-4.2-b not listed under TLS');
	like($r->{text}, qr/^250.AUTH PLAIN LOGIN\r$/m,
	    'R4954-3-a AUTH under TLS');
	says($c->cmd('STARTTLS'), 503, '5.5.1', 'R3207-4.2-b STARTTLS again');
	says($c->cmd('NOOP'), 250, '2.0.0', 'R3207-4.2-b TLS stays up');
	$c->quit;

	$c = $d->client(tls => 'none');
	$c->cmd('EHLO client.example');
	$c->cmd('STARTTLS');
	$c->send("EHLO no.tls.here\r\n" x 20);
	my $l = $c->line;
	ok(!defined $l || $l !~ /\A\d\d\d[ -]/,
	    'R3207-4-c no falling back to cleartext');
};

subtest 'implicit TLS' => sub {
	my $c = $d->client(tls => 'tls');
	like($c->{banner}{text}, qr/\A220 mail\.example\.org ESMTP\r\n\z/,
	    'R8314-3.3-a greeting inside TLS');
	says($c->cmd('STARTTLS'), 503, '5.5.1', 'R3207-4.2-b STARTTLS there');
	$c->quit;
	$c = Msad::Smtp->connect($d->{port_tls});
	$c->send("EHLO client.example\r\nQUIT\r\n");
	my $l = $c->line // '';
	unlike($l, qr/\A\d\d\d[ -]/, 'R8314-3.3-a never an SMTP line in cleartext');
	for my $v (['TLSv1_2', 'TLSv1_2'], ['TLSv1_3', 'TLSv1_3']) {
		my $s = $d->client(tls => 'tls', ssl => { SSL_version => $v->[0] });
		is($s && $s->{sock}->get_sslversion, $v->[1], "R8996-5-a $v->[1] works");
		$s->quit if $s;
	}
	ok(!$d->client(tls => 'tls', ssl => { SSL_version => 'TLSv1_1',
	    SSL_cipher_list => 'ALL:@SECLEVEL=0' }), 'R8996-5-a TLS 1.1 is refused');
};

subtest 'IPv6' => sub {
	my $c = $d->client(host => '::1');
	ok($c, 'a client by ::1') or return;
	says($c->cmd('NOOP'), 250, '2.0.0', 'is served');
	$c->quit;
};

subtest 'not logged in' => sub {
	my $c = $d->client;
	for my $cmd ('MAIL FROM:<a@b.example>', 'RCPT TO:<a@b.example>', 'DATA',
	    'VRFY x', 'EXPN x', 'MAIL FROM:<>', 'RCPT TO:<postmaster>') {
		says($c->cmd($cmd), 530, '5.7.0',
		    "R6409-4.3-a, R4954-6-e, R6409-6.4-a $cmd");
	}
	says($c->cmd('HELP'), 214, '2.0.0', 'R5321-4.1.4-e HELP');
	says($c->cmd('HELP x'), 214, '2.0.0', 'R5321-4.1.4-e HELP with argument');
	says($c->cmd('NOOP x y'), 250, '2.0.0', 'R5321-4.1.4-e NOOP with argument');
	says($c->cmd('QUIT now'), 501, '5.5.4', 'R5321-4.1.1-b QUIT with argument');
	says($c->cmd('RSET now'), 501, '5.5.4', 'R5321-4.1.1-b RSET with argument');
	$c->quit;
};

subtest 'EHLO arguments' => sub {
	my $c = $d->client(ehlo => 0, tls => 'tls');
	says($c->cmd('MAIL FROM:<a@b.example>'), 503, '5.5.1',
	    'R5321-4.1.4-d MAIL before EHLO');
	says($c->cmd('NOOP'), 250, '2.0.0', 'R5321-4.1.4-e NOOP before EHLO');
	says($c->cmd('RSET'), 250, '2.0.0', 'R5321-4.1.4-e RSET before EHLO');
	for my $bad ('EHLO', 'HELO', "EHLO a\x01b", "EHLO \xc3\xa9") {
		my $r = $c->cmd($bad);
		ok(($r->{code} == 501 && $r->{enh} eq '') || ($bad =~ /\x01|\xc3/
		    && $r->{code} == 500), 'R5321-4.1.1.1-b refused: ' .
		    ($bad =~ s/([^ -~])/sprintf('\\x%02x', ord $1)/egr))
		    or diag($r->{text});
	}
	for my $good ('my_pc', '[127.0.0.1]', '[IPv6:::1]', 'localhost', '-x-') {
		says($c->cmd("EHLO $good"), 250, '', "R5321-4.1.1.1-b EHLO $good");
	}
	says($c->cmd('ehlo x.example'), 250, '', 'R5321-2.4-a any letter case');
	says($c->cmd("EHLO x.example \t "), 250, '',
	    'R5321-4.1.1-a trailing blanks');
	my $r = $c->cmd('HELO x.example');
	is($r->{text}, "250 mail.example.org\r\n",
	    'R5321-4.1.1.1-a HELO: one line, no extensions');
	$c->quit;
};

subtest 'sequence' => sub {
	my $u = $d->account(0);
	my $c = $d->session(0);
	says($c->cmd('RCPT TO:<a@b.example>'), 503, '5.5.1', 'R5321-3.3-a');
	says($c->cmd('DATA'), 503, '5.5.1', 'R5321-3.3-b DATA without MAIL');
	says($c->cmd("MAIL FROM:<$u->{address}>"), 250, '2.1.0', 'MAIL');
	says($c->cmd('DATA'), 503, '5.5.1', 'R5321-3.3-b DATA without RCPT');
	says($c->cmd("MAIL FROM:<$u->{address}>"), 503, '5.5.1',
	    'R5321-4.1.4-d MAIL within a transaction');
	says($c->cmd('RCPT TO:<a@b.example>'), 250, '2.1.5',
	    'R5321-4.1.4-d and the transaction survives');
	says($c->cmd('DATA x'), 501, '5.5.4', 'R5321-4.1.1-b DATA with argument');
	says($c->cmd('AUTH PLAIN AGEAYg=='), 503, '5.5.1',
	    'R4954-4-a a further AUTH');
	says($c->cmd('EHLO'), 501, '', 'R5321-4.1.4-b a refused EHLO');
	says($c->cmd('RCPT TO:<b@b.example>'), 250, '2.1.5',
	    'R5321-4.1.4-b keeps the transaction');
	says($c->cmd('RSET'), 250, '2.0.0', 'R5321-4.1.1.5-a RSET');
	says($c->cmd('RCPT TO:<a@b.example>'), 503, '5.5.1',
	    'R5321-4.1.1.5-a drops the transaction');
	says($c->cmd("MAIL FROM:<$u->{address}>"), 250, '2.1.0',
	    'R5321-4.1.1.5-a and keeps the login');
	my $r = $c->cmd('EHLO again.example');
	says($r, 250, '', 'R5321-4.1.4-a EHLO in mid-transaction');
	unlike($r->{text}, qr/AUTH/, 'R4954-3-a no AUTH after 235');
	says($c->cmd('RCPT TO:<a@b.example>'), 503, '5.5.1',
	    'R5321-4.1.4-a drops the transaction');
	$c->quit;
};

subtest 'verbs' => sub {
	my $c = $d->session(0);
	says($c->cmd('VRFY root'), 252, '2.5.0', 'R5321-4.1.1.6-a VRFY');
	says($c->cmd('VRFY nobody-at-all'), 252, '2.5.0', 'R5321-4.1.1.6-a unknown');
	says($c->cmd('VRFY'), 501, '5.5.4', 'R5321-4.1.1.6-a no argument');
	says($c->cmd('EXPN x'), 502, '5.5.1', 'R5321-4.1.1.7-a EXPN');
	says($c->cmd($_), 502, '5.5.1', "R5321-4.2.4-a, R6409-7-b $_")
	    for 'TURN', 'SEND FROM:<a@b>', 'ETRN x';
	$c->quit;
	$c = $d->session(0);
	says($c->cmd($_), 500, '5.5.2', "R5321-4.2.4-a, R6409-7-d $_")
	    for 'FOO', 'XCLIENT ADDR=1.2.3.4', 'BURL x', '';
	says($c->cmd('NOOP'), 250, '2.0.0', 'R5321-4.2.4-a session goes on');
	$c->quit;
};

subtest 'paths and parameters' => sub {
	my $u = $d->account(0);
	my $c = $d->session(0);
	my $bad = 0;
	my $fresh = sub { if (++$bad % 8 == 0) { $c->quit; $c = $d->session(0) } };
	for my $cmd ('MAIL FROM:a@b.example', 'MAIL FROM:<a@b.example',
	    'MAIL FROM:<a b@c.example>', 'MAIL FROM:<a@-b.example>',
	    'MAIL FROM:<a@b..example>', 'MAIL FROM:<a@b_c.example>',
	    'MAIL FROM:<' . 'a' x 65 . '@b.example>',
	    'MAIL FROM:<a@' . 'b' x 64 . '.example>') {
		$fresh->();
		my $r = $c->cmd($cmd);
		ok($r->{code} == 501, 'R6409-5.1-a, R5321-4.1.2-b ' .
		    substr($cmd, 0, 40)) or diag($r->{text});
	}
	$fresh->();
	says($c->cmd("MAIL FROM :<$u->{address}>"), 501, '5.5.2',
	    'R5321-3.3-c blank before the colon');
	for my $p (['FOO=1', 555], ['SIZE=', 501], ['SIZE=-1', 501],
	    ['SIZE=x', 501], ['SIZE=1 SIZE=1', 501], ['SIZE=123456789012345678901', 501],
	    ['SIZE=52428801', 552], ['BODY=FOO', 501],
	    ['BODY=7BIT BODY=7BIT', 501], ['BY=0;R', 501], ['HOLDFOR=60', 555], ['REQUIRETLS', 555],
	    ['SMTPUTF8=1', 501]) {
		$fresh->();
		my $r = $c->cmd("MAIL FROM:<$u->{address}> $p->[0]");
		says($r, $p->[1], $p->[1] == 552 ? '5.3.4' : '5.5.4',
		    "R5321-4.1.1.11-a, R1870-6-a, R6152-3-a $p->[0]");
	}
	$c->quit;
	$c = $d->session(0);
	for my $p ('SIZE=0', 'SIZE=52428800', 'BODY=8bitmime', 'body=7bit',
	    'BODY=8BITMIME SIZE=10', 'AUTH=<>') {
		my $r = $c->cmd("MAIL FROM:<$u->{address}> $p");
		says($r, 250, '2.1.0', "R1870-6.1-a, R6152-3-a, R4954-5-a $p");
		$c->cmd('RSET');
	}
	says($c->cmd("mail from: <$u->{address}>"), 250, '2.1.0',
	    'R5321-3.3-c one blank after the colon, R5321-2.4-a letter case');
	for my $to ('"a b"@x.example', '"a\"b"@x.example', 'a@[127.0.0.1]',
	    'a@[IPv6:2001:db8::1]', 'a' x 64 . '@x.example', 'a+b=c@x.example') {
		says($c->cmd("RCPT TO:<$to>"), 250, '2.1.5',
		    "R5321-4.1.2-a, R5321-4.1.3-a $to");
	}
	says($c->cmd('RCPT TO:<@a.example,@b.example:u@d.example>'), 250, '2.1.5',
	    'R5321-3.3-d source route');
	for my $to ('a@[300.0.0.1]', 'a@[IPv6:zz]', 'a b@x.example', 'a@x_y.example') {
		says($c->cmd("RCPT TO:<$to>"), 501, '5.1.3',
		    "R5321-4.1.3-a, R5321-4.1.2-b $to");
	}
	says($c->cmd('RCPT TO:<a@x.example> FOO=NEVER'), 555, '5.5.4',
	    'R5321-4.1.1.11-a unknown RCPT parameter');
	says($c->cmd('RCPT TO:<a@single>'), 554, '5.1.2', 'R6409-4.2-a');
	$c->quit;
};

subtest 'lines' => sub {
	my $c = $d->client(tls => 'tls');
	says($c->cmd('NOOP ' . 'x' x (4096 - 7)), 250, '2.0.0',
	    'R5321-4.5.3.1.4-a 4096 octets');
	says($c->cmd('NOOP ' . 'x' x (4096 - 6)), 500, '5.5.2',
	    'R5321-4.5.3.1.4-a 4097 octets');
	says($c->cmd('NOOP'), 250, '2.0.0', 'R5321-4.5.3.1.4-a in step');
	$c->send("NOOP\nNOOP\r\n");
	says($c->reply, 500, '5.5.2', 'R5321-2.3.8-b bare LF');
	$c->send("NOOP\rNOOP\r\n");
	says($c->reply, 500, '5.5.2', 'R5321-2.3.8-b bare CR');
	says($c->cmd('NOOP'), 250, '2.0.0', 'R5321-2.3.8-b in step');
	says($c->cmd("NOOP \0"), 500, '5.5.2', 'X-ctl-1 NUL');
	says($c->cmd("NOOP \x07"), 500, '5.5.2', 'X-ctl-1 BEL');
	says($c->cmd("NOOP \xff"), 500, '5.5.2', 'R5321-2.4-b 8-bit');
	$c->quit;

	$c = $d->client(tls => 'tls');
	$c->send('x' x 65536) for 1 .. 160;
	$c->send("\r\n");
	says($c->reply, 500, '5.5.2', 'X-line-1 10 MiB in one line: one 500');
	says($c->cmd('NOOP'), 250, '2.0.0', 'X-line-1 in step');
	$c->quit;
};

subtest 'bad commands' => sub {
	my $c = $d->client(tls => 'tls');
	for my $n (1 .. 11) {
		$c->cmd('RSET') if $n == 5;
		says($c->cmd('FOO'), 500, '5.5.2', "P-ses-3 bad command $n");
	}
	my $r = $c->reply;
	says($r, 421, '4.7.0', 'P-ses-3 then 421');
	like($r->{text}, qr/mail\.example\.org/, 'P-ses-3 with our name');
	ok($c->closed, 'P-ses-3 and close');
};

subtest 'HTTP' => sub {
	for my $tls ('none', 'tls') {
		my $c = $d->client(tls => $tls);
		my $r = $c->cmd("POST / HTTP/1.1\r\nHost: x\r\n\r\nNOOP");
		says($r, 421, '4.7.0', "X-http-1 $tls");
		ok($c->closed, 'X-http-1 nothing after it is parsed');
	}
};

subtest 'pipelining' => sub {
	my $u = $d->account(0);
	my $c = $d->session(0);
	my $text = "From: <$u->{address}>\r\nSubject: one\r\n\r\nbody\r\n.\r\n";
	$c->send("MAIL FROM:<$u->{address}>\r\nRCPT TO:<a\@x.example>\r\n" .
	    "RCPT TO:<bad address>\r\nRCPT TO:<b\@x.example>\r\nDATA\r\n" .
	    "${text}NOOP\r\nMAIL FROM:<$u->{address}>\r\nRSET\r\n");
	my @codes = map { $c->reply->{code} } 1 .. 9;
	is("@codes", '250 250 501 250 354 250 250 250 250',
	    'R2920-3.2-a, R2920-3.2-b a group in one write, answered in order');
	my $all = "MAIL FROM:<$u->{address}>\r\nRCPT TO:<a\@x.example>\r\n" .
	    "DATA\r\n${text}";
	$c->send($_) for split(//, $all);
	@codes = map { $c->reply->{code} } 1 .. 4;
	is("@codes", '250 250 354 250', 'R2920-3.2-b one octet a time');
	$c->send("MAIL FROM:<$u->{address}>\r\nRCPT TO:<bad address>\r\n" .
	    "DATA\r\nRSET\r\n");
	@codes = map { my $r = $c->reply; "$r->{code} $r->{enh}" } 1 .. 4;
	is($codes[2], '554 5.5.1', 'R5321-3.3-b, R2920-3.2-c all RCPT refused');
	is(scalar(my @m = $d->mails_wait(2, qr/Subject: one/)), 2,
	    'R2920-3.2-b the same mail each way');
	$c->quit;
};

subtest 'many sessions' => sub {
	my @c = map { $d->client(tls => 'none') } 1 .. 100;
	is(scalar(grep { defined $_ && $_->{banner}{code} == 220 } @c), 100,
	    '100 connections at once are greeted');
	$_->close for grep { defined } @c;
	my $c = $d->client;
	says($c->cmd('NOOP'), 250, '2.0.0', 'and the next is served');
	$c->quit;
};

$d->done;
done_testing;
