# Rows of the session and of TLS that stand beside the others: what is never
# given away, what is never refused, what does harm elsewhere.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Socket::SSL;
use Msad;
use Test::More;
use Time::HiRes qw(time);

my $third = free_port();
my $d = Msad->new(start => 0);
$d->{extra} = "listen on 127.0.0.1 port $third starttls pki \"main\" auth \"sys\"\n";
my $bad = $d->nexthop(on => { MAIL => sub {
	$_[0] =~ /refused/ ? '550 5.7.1 not this one' : undef } });
my $u = $d->account(0);
$d->{relay} = "relay \"hop\" { host \"127.0.0.1\" port $bad->{port} retry { 1h } }\n";
$d->{tables} = "table \"t\" { \"$u->{name}\" = \"\@hop.example\" }\n";
$d->{match} = "match from auth sender <t> relay \"hop\"\n" .
    "match from auth sender own relay \"box\"\n";
$d->write_conf;
$d->start;
my $from = "From: <$u->{address}>\r\n";

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

subtest 'every listener is for submission' => sub {
	for my $p (['starttls', $d->{port_starttls}], ['tls', $d->{port_tls}],
	    ['starttls', $third]) {
		my ($mode, $port) = @$p;
		local $d->{port_starttls} = $port if $mode eq 'starttls';
		my $c = $d->client(tls => $mode);
		for my $to ('someone@far.example', 'postmaster',
		    "$u->{name}\@mail.example.org") {
			says($c->cmd('MAIL FROM:<a@b.example>'), 530, '5.7.0',
			    "P-ses-2, R5068-3.2-a port $port: MAIL without login");
			says($c->cmd("RCPT TO:<$to>"), 530, '5.7.0',
			    "P-ses-2, R5068-3.2-a port $port: RCPT to $to");
		}
		$c->quit;
		$c = $d->session(0, tls => $mode);
		says($c->cmd('MAIL FROM:<root@mail.example.org>'), 550, '5.7.1',
		    "P-ses-2, R6409-6.3-a port $port: not one's own sender");
		says($c->submit($u->{address}, "$u->{name}\@mail.example.org",
		    "${from}Subject: local $port\r\n\r\nx\r\n"), 250, '2.0.0',
		    "R6409-3.1-a port $port: to ourselves");
		my ($m) = $d->mails_wait(1, qr/^Subject: local $port\r?$/m);
		like($m // '', qr/with ESMTPSA/, 'R6409-3.1-a is a submission, too');
		$c->quit;
	}
	my $sample = slurp("$Msad::TOP/etc/msad.conf");
	like($sample, qr/^listen .* port 587 .*\bauth\b/m,
	    'R5068-3.2-a the sample listens on 587');
	unlike($sample, qr/^listen (?!on socket\b)(?!.*\bauth\b).*$/m,
	    'R5068-3.2-a and nowhere without a login');
};

subtest 'before the login nothing is given away' => sub {
	my $c = $d->client(tls => 'tls', ehlo => 0);
	my @said = ($c->{banner});
	push @said, $c->cmd($_) for 'EHLO x.example', 'HELP', 'HELP MAIL',
	    'NOOP', "VRFY $u->{name}", 'FOO', 'MAIL FROM:<a@b.example>',
	    'AUTH PLAIN AGEAYg==', 'RSET', 'QUIT';
	my $all = join('', map { $_->{text} } @said);
	unlike($all, qr/msad|version|\bC11\b|linux|openssl|libressl|\d+\.\d+\.\d+\.\d+/i,
	    'R6409-7-f no software, no version, no address');
	unlike($all, qr/\Q$u->{name}\E|example\.net|pam|sys\b|relay|match/i,
	    'R6409-7-f no user, no policy');
};

subtest 'names that are not true' => sub {
	for my $name ('mail.example.org', '[192.0.2.99]', 'localhost',
	    'gmail-smtp-in.l.google.com') {
		my $c = $d->client(tls => 'tls', ehlo => 0);
		says($c->cmd("EHLO $name"), 250, '', "R5321-4.1.4-c EHLO $name");
		$c->auth_plain($u->{name}, $u->{password});
		says($c->submit($u->{address}, 'a@x.example',
		    "${from}Subject: as $name\r\n\r\nx\r\n"), 250, '2.0.0',
		    "R5321-4.1.4-c $name may send");
		$c->quit;
	}
	ok($d->log_wait(qr/event=mail .*helo=\S*\[192\.0\.2\.99\]/),
	    'R5321-4.1.4-c, R5321-4.4-d the name is in the log');
	ok($d->log =~ /event=mail .*client=127\.0\.0\.1/,
	    'R5321-4.4-d and the address');
};

subtest 'one verdict for all' => sub {
	my $c = $d->session(0);
	my $r = $c->submit($u->{address}, ['a@x.example', 'b@y.example'],
	    "${from}${from}Subject: twice from\r\n\r\nx\r\n");
	says($r, 554, '5.6.0', 'R5321-4.1.1.4-c, R6409-6.3-a one failure for all');
	says($c->cmd('NOOP'), 250, '2.0.0', 'R5321-4.1.1.4-c and nothing more');
	$r = $c->submit($u->{address}, ['a@x.example', 'b@y.example'],
	    "${from}Subject: once from\r\n\r\nx\r\n");
	says($r, 250, '2.0.0', 'R5321-4.1.1.4-c one 250 for all');
	says($c->cmd('NOOP'), 250, '2.0.0', 'R5321-4.1.1.4-c and nothing more');
	$c->cmd("MAIL FROM:<$u->{address}>");
	$c->cmd('RCPT TO:<a@x.example>');
	says($c->cmd('DATA please'), 501, '5.5.4', 'R6409-6.3-a malformed DATA');
	$c->quit;
	ok($d->mails_wait(1, qr/once from/), 'the good one arrives');
	ok(wait_for { !$d->queue }, 'the queue is empty');
	is(scalar(grep { /twice from|delivery-status/ } $d->mails), 0,
	    'R5321-4.1.1.4-c, R6409-3.2-c no trace of the other, no DSN');
};

subtest 'refusals are logged, a flood of them is not' => sub {
	my $c = $d->session(0);
	$c->cmd("MAIL FROM:<$u->{address}>");
	$c->send("RCPT TO:<a\@single>\r\n" x 200);
	my @r = map { $c->reply } 1 .. 200;
	is(scalar(grep { $_->{code} == 554 } @r), 200, '200 refusals');
	my ($sid) = $r[0]{text} =~ /\(([0-9a-f]+-[0-9a-f]+)\)\r\n\z/;
	ok($sid, 'P4 the reply names the session');
	$c->quit;
	ok($d->log_wait(qr/s=\Q$sid\E event=disconnect/), 'the session ended');
	my @l = $d->log =~ /^(.*s=\Q$sid\E event=reply .*)$/mg;
	like($l[0] // '', qr/code=554 enhanced=5\.1\.2 client=127\.0\.0\.1 user=\S*$u->{name}/,
	    'R6409-5.2-a session, user, address and reply are in the log');
	cmp_ok(scalar @l, '<', 30, 'R6409-5.2-a 200 times the same: not 200 lines');
	like($d->log, qr/s=\Q$sid\E event=disconnect .*refused=200/,
	    'R6409-5.2-a but their number');
};

subtest 'text that means something elsewhere' => sub {
	my $c = $d->session(0);
	my @odd = ('%s%n%x', '$(id)', '`id`', '../../etc/passwd', '-oQ/tmp', '|cat',
	    "a'b", '{x}', '$HOME', '*');
	for my $i (0 .. $#odd) {
		my $to = $odd[$i] =~ /[()]/ ? "\"$odd[$i]\"\@x.example" :
		    $odd[$i] =~ /\.\./ ? "\"$odd[$i]\"\@x.example" :
		    "$odd[$i]\@x.example";
		my $r = $c->submit($u->{address}, $to,
		    "${from}Subject: odd $i.\r\n\r\nx\r\n");
		says($r, 250, '2.0.0', "X-ctl-2 $to is text");
		ok($d->mails_wait(1, qr/^Subject: odd $i\.\r?$/m), "X-ctl-2 $to: delivered");
	}
	for my $p ('AUTH=a+0D+0AX@x.example', 'AUTH=+0Aa@x.example', 'AUTH=a+00@x.example') {
		says($c->cmd("MAIL FROM:<$u->{address}> $p"), 501, '5.5.4',
		    "X-ctl-2, R4954-5-a $p");
	}
	for my $to ('a@../x.example', 'a@x/../y.example', 'a@$(id).example', 'a@-x.example') {
		$c->cmd("MAIL FROM:<$u->{address}>");
		says($c->cmd("RCPT TO:<$to>"), 501, '5.1.3', "X-ctl-2 $to");
	}
	$c->quit;
	is(() = glob("$d->{dir}/box/*"), 3, 'X-ctl-2 no file of such a name');
};

subtest 'headers that cost' => sub {
	my $c = $d->session(0);
	my %odd = (
		'addresses' => 'To: ' . join(",\r\n ", map { "u$_\@x.example" } 1 .. 50000),
		'folds' => 'To: a@x.example' . "\r\n " x 20000,
		'folds in some field' => "X-Y: a\r\n" . " b\r\n" x 100000 . "Z: x",
		'open comments' => 'To: ' . '(' x 900 . "\r\n",
		'comments' => 'To: ' . join("\r\n ", ('(' x 400 . ')' x 400) x 60) . ' a@x.example',
		'quotes' => 'To: ' . join("\r\n ", ('"\\"' x 300) x 60),
		'routes' => 'To: <' . join("\r\n ", ('@a,' x 300) x 60) . '@b:c@d.example>',
		'groups' => 'To: ' . join("\r\n ", map { "g$_:;," } 1 .. 5000),
		'angles' => 'To: ' . join("\r\n ", ('<' x 900) x 60),
	);
	for my $name (sort keys %odd) {
		$c->cmd("MAIL FROM:<$u->{address}>");
		$c->cmd('RCPT TO:<a@x.example>');
		$c->cmd('DATA');
		$c->send("$from$odd{$name}\r\n\r\nx\r\n");
		my $t = time;
		$c->send(".\r\n");
		my $r = $c->reply;
		$t = time - $t;
		like("$r->{code} $r->{enh}", qr/^(?:250 2\.0\.0|552 5\.3\.4|554 5\.6\.0)$/,
		    "X-hdr-2 $name: $r->{code}");
		cmp_ok($t, '<', 2, sprintf('X-hdr-2 %s: %.3f s', $name, $t));
	}
	$c->quit;
};

subtest 'what looks like a header and is none' => sub {
	my $c = $d->session(0);
	says($c->submit($u->{address}, 'a@x.example',
	    "${from}Subject: in the body\r\n\r\n${from}Sender: <root\@x.example>\r\n" .
	    "Bcc: hidden\@x.example\r\n\r\nx\r\n"), 250, '2.0.0', 'X-hdr-3 fields in the body');
	my ($m) = $d->mails_wait(1, qr/in the body/);
	like($m // '', qr/\n\r?\nFrom: .*\nSender: .*\nBcc: hidden/,
	    'X-hdr-3 are body and stay');
	says($c->submit($u->{address}, 'a@x.example', "${from}Subject: no blank line\r\n"),
	    250, '2.0.0', 'X-hdr-3 no blank line: all is header');
	($m) = $d->mails_wait(1, qr/no blank line/);
	like($m // '', qr/Subject: no blank line\r?\n(?:\S.*\n)*\r?\n?\z/,
	    'X-hdr-3 and nothing is body');
	for my $s ("Sub\0ject: x", "Subject: x\rSender: y", "Subject\r: x") {
		says($c->submit($u->{address}, 'a@x.example', "$from$s\r\n\r\nx\r\n"),
		    554, '5.6.0', 'X-hdr-3 a field split by NUL or CR');
	}
	$c->quit;
};

subtest 'octets before the greeting' => sub {
	for (1 .. 20) {
		my $c = Msad::Smtp->connect($d->{port_starttls});
		$c->send("EHLO early.example\r\nNOOP\r\nQUIT\r\n");
		my @r = map { $c->reply } 1 .. 4;
		is(join(' ', map { $_->{code} } @r), '220 250 250 221',
		    'X-early-1 are read after it, in order');
		$c->close;
	}
};

# Has the server said that it ends (close_notify), and not just gone?
sub notified {
	my ($c) = @_;
	$c->closed;
	return Net::SSLeay::get_shutdown($c->{sock}->_get_ssl_object) & 2;
}

subtest 'the end of TLS is said' => sub {
	my $c = $d->client(tls => 'tls');
	$c->cmd('QUIT');
	ok(notified($c), 'R8314-3.4-a close_notify after QUIT');
	$c = $d->client(tls => 'tls');
	$c->cmd('FOO') for 1 .. 11;
	is($c->reply->{code}, 421, 'R8314-3.4-a too many bad commands');
	ok(notified($c), 'R8314-3.4-a close_notify after 421');
	$c = $d->session(0, tls => 'tls');
	my $r = $c->submit($u->{address}, 'a@x.example', "${from}Subject: torn off\r\n\r\nx\r\n");
	is($r->{code}, 250, 'accepted');
	shutdown($c->{sock}, 2);
	ok($d->mails_wait(1, qr/torn off/),
	    'R8314-3.4-a a client that just goes loses nothing');
};

sub tls_with {
	my (%ssl) = @_;
	my $c = $d->client(tls => 'tls', ssl => \%ssl) or return undef;
	my $ok = $c->cmd('NOOP')->{code} == 250 ? $c : undef;
	return $ok;
}

subtest 'what TLS offers' => sub {
	my $c = tls_with(SSL_version => 'TLSv1_2');
	like($c ? $c->{sock}->get_cipher : 'none', qr/^ECDHE-.*(?:GCM|POLY1305)/,
	    'R9325-4.2-a TLS 1.2: ECDHE with AEAD');
	for my $weak ('AES128-GCM-SHA256:AES256-SHA', 'ECDHE-ECDSA-AES128-SHA',
	    'ECDHE-ECDSA-AES256-SHA384', 'aNULL:eNULL', 'DHE-RSA-AES256-GCM-SHA384') {
		ok(!tls_with(SSL_version => 'TLSv1_2', SSL_cipher_list => "$weak:\@SECLEVEL=0"),
		    "R9325-4.2-a refused: $weak");
	}
	my $port = $d->{port_tls};
	my $talk = sub {
		my ($input, @args) = @_;
		return scalar qx{printf '$input' | timeout 20 openssl s_client -connect 127.0.0.1:$port @args 2>&1};
	};
	unlike($talk->('QUIT\r\n', '-msg', '-quiet'), qr/CertificateRequest/,
	    'R8314-4.2-a no certificate is asked for');
	$c = tls_with(SSL_version => 'TLSv1_2');
	$c->{sock}->blocking(1);
	my $ssl = $c->{sock}->_get_ssl_object;
	Net::SSLeay::renegotiate($ssl);
	cmp_ok(Net::SSLeay::do_handshake($ssl), '<=', 0,
	    'R9325-4.2-a renegotiation is refused');
	Net::SSLeay::ERR_clear_error();
	unlike($talk->('QUIT\n', '-tls1_3', '-ign_eof', '-crlf'),
	    qr/Max Early Data: [1-9]/, 'R9325-4.2-a no 0-RTT');
	like($talk->('QUIT\n', '-tls1_2', '-ign_eof', '-crlf'),
	    qr/^Compression: NONE/m, 'R9325-4.2-a no compression');
};

subtest 'names in the handshake' => sub {
	for my $sni ('localhost', 'other.example', 'x' x 60 . '.example') {
		my $c = tls_with(SSL_hostname => $sni);
		ok($c, "R9325-3.7-a SNI $sni: the certificate we have");
	}
	for my $alpn (['smtp'], ['h2', 'submission'], ['esmtp', 'h2']) {
		my $c = tls_with(SSL_alpn_protocols => $alpn);
		ok($c, "R9325-3.8-a ALPN @$alpn");
		like($c ? $c->{sock}->alpn_selected // '' : '', qr/^(?:e?smtp|submission)$/,
		    'R9325-3.8-a one of ours is chosen');
	}
	for my $alpn (['h2', 'http/1.1'], ['http/1.1'], ['smtpx'], ['SMTP']) {
		ok(!tls_with(SSL_alpn_protocols => $alpn),
		    "R9325-3.8-a ALPN @$alpn: refused");
	}
	ok(tls_with(), 'R9325-3.8-a no ALPN is fine');
};

subtest 'the next hop refuses one sender' => sub {
	my $c = $d->session(0);
	my $r = $c->submit('refused@hop.example', 'a@x.example',
	    "From: <refused\@hop.example>\r\nSubject: hop 1\r\n\r\nx\r\n");
	is($r->{code}, 250, 'accepted here');
	ok(wait_for { !grep { $_->{id} eq $r->{id} } $d->queue }, 'refused there');
	$r = $c->submit('good@hop.example', 'a@x.example',
	    "From: <good\@hop.example>\r\nSubject: hop 2\r\n\r\nx\r\n");
	is($r->{code}, 250, 'the next');
	ok(wait_for { grep { $_->{data} =~ /hop 2/ } $bad->transactions },
	    'R5321-4.5.4.1-c is delivered at once');
	$c->quit;
};


subtest 'others keep their addresses' => sub {
	my $c = $d->session(0);
	my @to = ('MiXed.Case+tag@far.example', '"q q"@far.example',
	    'a-_=%b@far.example', "$u->{name}\@Far.Example", 'postmaster@far.example');
	my $to = join(', ', @to);
	my $r = $c->submit('me@hop.example', \@to,
	    "From: <me\@hop.example>\r\nTo: $to\r\nSubject: hop 3\r\n\r\nx\r\n");
	is($r->{code}, 250, 'accepted');
	my $t;
	ok(wait_for { ($t) = grep { $_->{data} =~ /hop 3/ } $bad->transactions },
	    'it is passed on');
	is_deeply([sort @{ $t->{rcpts} // [] }], [sort @to],
	    'R6409-8.8-a, R5321-2.4-a, R5321-4.1.2-a recipients as they were given');
	like($t->{data} // '', qr/^To: \Q$to\E\r$/m, 'R6409-8.8-a and in the header');
	$c->quit;
};

subtest 'what is queued follows the rules' => sub {
	my $c = $d->session(0);
	my %odd = (
		'blank before the colon' => "From : <$u->{address}>\r\nSubject \t: odd 1\r\n\r\nx\r\n",
		'an old date' => "${from}Date: 1 Jan 1999 10:00 +0000\r\nSubject: odd 2\r\n\r\nx\r\n",
		'an obsolete date' => "${from}Date: 1 Jan 26 10:00 EST\r\nSubject: odd a\r\n\r\nx\r\n",
		'a three-digit year' => "${from}Date: 1 Feb 126 10 : 00 +0100\r\nSubject: odd b\r\n\r\nx\r\n",
		'a wrong weekday' => "${from}Date: Mon, 1 Jan 2026 10:00:00 +0000\r\nSubject: odd c\r\n\r\nx\r\n",
		'a comment in the date' => "${from}Date: Sun, 22 (x) Nov 2026 10:00:00 (y) z\r\nSubject: odd d\r\n\r\nx\r\n",
		'a bad date' => "${from}Date: yesterday\r\nSubject: odd 3\r\n\r\nx\r\n",
		'a bad Message-ID' => "${from}Message-ID: <a b>\r\nSubject: odd 4\r\n\r\nx\r\n",
		'a blank continuation' => "${from}Subject: odd 5\r\n \r\n more\r\n\r\nx\r\n",
		'a route' => "${from}To: <\@a.example,\@b.example:c\@d.example>\r\nSubject: odd 6\r\n\r\nx\r\n",
		'empty list members' => "${from}To: ,a\@x.example,,b\@x.example,\r\nSubject: odd 7\r\n\r\nx\r\n",
		'raw UTF-8' => "${from}Subject: odd 8 \xc3\xa9\r\n\r\n\xc3\xa9\r\n",
		'no final line end' => "${from}Subject: odd 9\r\n\r\nx",
		'long body lines' => "${from}Subject: odd 0\r\n\r\n" . 'x' x 5000 . "\r\n",
	);
	for my $name (sort keys %odd) {
		my $r = $c->submit($u->{address}, 'a@x.example', $odd{$name});
		like("$r->{code} $r->{enh}", qr/^(?:250 2\.0\.0|554 5\.6\.0)$/,
		    "R6409-8-a $name: $r->{code}");
	}
	$c->quit;
	ok(wait_for { !$d->queue }, 'all delivered');
	my @m = $d->mails;
	cmp_ok(scalar @m, '>', 10, scalar(@m) . ' messages');
	my %bad;
	for my $m (@m) {
		my ($head) = split(/\r?\n\r?\n/, $m, 2);
		my $say = sub { $bad{"$_[0]: " . ($head =~ /^(Subject: .*|Date: .*)/m ?
		    $1 : '')} = 1 };
		$say->('a line over 998') if $m =~ /^[^\r\n]{999}/m;
		$say->('8-bit in the header') if $head =~ /[^\x01-\x7f]/;
		$say->('blank before a colon') if $head =~ /^[!-9;-~]+[ \t]+:/m;
		$say->('a blank continuation') if $head =~ /^[ \t]+\r?$/m;
		for my $f (qw(From Date Message-ID)) {
			my $n = () = $head =~ /^\Q$f\E:/mgi;
			$say->("$n fields $f") if $n != 1;
		}
		$say->('the date') if $head !~
		    /^Date: (?:\w{3}, )?[ \d]?\d \w{3} \d{4} \d\d:\d\d(?::\d\d)? [+-]\d{4}/m;
		$say->('the route') if $head =~ /^To:.*<\@/m;
		$say->('list members') if $head =~ /^To: *,|,[ \t]*,/m;
	}
	is_deeply([sort keys %bad], [], 'R6409-8-a, R5322-4.4-a in all of them');
	my $date = sub {
		my ($m) = grep { /^Subject: odd $_[0]\r?$/m } @m;
		return ($m // '') =~ /^Date: (.*?)\r?$/m ? $1 : '';
	};
	is($date->('a'), 'Thu, 1 Jan 2026 10:00:00 -0500',
	    'R5322-3.3-a two-digit year and named zone are written anew');
	is($date->('b'), 'Sun, 1 Feb 2026 10:00:00 +0100', 'R5322-3.3-a three digits too');
	is($date->('d'), 'Sun, 22 Nov 2026 10:00:00 -0000', 'R5322-4.4-a and comments');
	is($date->(2), '1 Jan 1999 10:00 +0000', 'R6409-8.2-a what is current is kept');
	unlike($date->('c'), qr/ 1 Jan 2026/,
	    'R5322-3.3-a a weekday that contradicts has the date replaced');
};

$d->done;
done_testing;
