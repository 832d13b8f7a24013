# What an administrator may switch: starttls optional, add-auth-results,
# append-domain for the envelope, received-privacy, address-literals. Each is as
# it is by default in the other test files.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Socket::UNIX;
use Msad;
use Test::More;

my $open = free_port();
my $d = Msad->new(start => 0);
my $u = $d->account(0);
$d->{extra} = "listen on 127.0.0.1 port $open starttls optional pki \"main\" auth \"sys\"\n" .
    "listen on socket \"$d->{dir}/submit.sock\"\n" .
    "add-auth-results\nappend-domain example.org\n" .
    "received-privacy off\naddress-literals refuse\n";
$d->{match} = "match from auth sender own relay \"box\"\n" .
    "match from local sender any relay \"box\"\n";
$d->write_conf;
$d->start;

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

subtest 'starttls optional' => sub {
	local $d->{port_starttls} = $open;
	my $c = $d->client(tls => 'none');
	my $r = $c->cmd('EHLO client.example');
	like($r->{text}, qr/STARTTLS/, 'STARTTLS is listed');
	unlike($r->{text}, qr/AUTH /, 'R4954-3-a AUTH is not, in clear');
	says($c->cmd('MAIL FROM:<a@b.example>'), 530, '5.7.0', 'R6409-4.3-a a login is needed');
	says($c->cmd('HELP'), 214, '2.0.0', 'TLS is not');
	my $good = Msad::Smtp::encode_base64("\0$u->{name}\0$u->{password}", '');
	my $seen = length $d->log;
	my @said;
	for my $what ("PLAIN $good", 'PLAIN AGEAYg==', 'PLAIN', 'LOGIN', 'plain !!', 'LOGIN YQ==') {
		$r = $c->cmd("AUTH $what");
		says($r, 538, '5.7.11', 'R4954-6-d AUTH ' . ($what =~ /^(\S+(?: \S)?)/)[0]);
		push @said, $r->{text};
	}
	is(scalar(keys %{ { map { $_ => 1 } @said } }), 1,
	    'R4954-6-d the same reply for good and bad ones');
	says($c->cmd('AUTH CRAM-MD5'), 504, '5.5.4', 'R4954-4-c another mechanism');
	$c->quit;
	my $log = substr($d->log, $seen);
	unlike($log, qr/\Q$good\E|\Q$u->{password}\E/, 'R4954-6-d nothing of it is logged');
	unlike($log, qr/event=auth/, 'R4954-6-d nor checked');
	$c = $d->session(0);
	says($c->submit($u->{address}, 'a@x.example',
	    "From: <$u->{address}>\r\nSubject: after\r\n\r\nx\r\n"), 250, '2.0.0',
	    'with TLS it is a listener as others are');
	$c->quit;
};

subtest 'where starttls optional may stand' => sub {
	my %want = (
		'127.0.0.1' => 1, '127.8.8.8' => 1, '::1' => 1,
		'0.0.0.0' => 0, '192.0.2.1' => 0, '::' => 0, '2001:db8::1' => 0,
	);
	my $text = $d->conf_text;
	for my $a (sort keys %want) {
		for my $insecure ('', ' insecure') {
			spew("$d->{dir}/other.conf", $text .
			    "listen on $a port 2 starttls optional$insecure pki \"main\" auth \"sys\"\n", 0600);
			my $out = `$Msad::BUILD/msad -nv -f $d->{dir}/other.conf 2>&1`;
			if ($want{$a} || $insecure) {
				is($?, 0, "$a$insecure is taken") or diag($out);
				like($out, qr/^listen on \Q$a\E port 2 starttls optional$insecure pki/m,
				    'and stands in the canonical text');
			} else {
				isnt($?, 0, "$a is refused");
				like($out, qr/:\d+: starttls optional on \Q$a\E: .* insecure /, 'with the reason');
			}
		}
	}
};

subtest 'add-auth-results' => sub {
	my $c = $d->session(0);
	says($c->submit($u->{address}, 'a@x.example',
	    "Received: from x by y; Sun, 22 Nov 2026 10:00:00 +0000\r\n" .
	    "Authentication-Results: mail.example.org; auth=pass smtp.auth=root\r\n" .
	    "From: <$u->{address}>\r\nSubject: results\r\n\r\nx\r\n"), 250, '2.0.0', 'accepted');
	$c->quit;
	my ($m) = $d->mails_wait(1, qr/^Subject: results\r?$/m);
	my ($head) = split(/\r?\n\r?\n/, $m // '', 2);
	$head =~ s/\r?\n[ \t]+/ /g;
	my @trace = grep { /^(?:Authentication-Results|Received|Return-Path):/ } split(/\r?\n/, $head);
	@trace = grep { !/^Return-Path:/ } @trace;
	is($trace[0] // '', "Authentication-Results: mail.example.org; auth=pass smtp.auth=$u->{name}",
	    'R8601-2.7.4-a on top, with the login');
	like($trace[1] // '', qr/^Received: from client\.example \(\[127\.0\.0\.1\]\) by mail\.example\.org with ESMTPSA/,
	    'R8601-2.7.4-a ours below, R5321-4.4-d, R5321-4.4-a with the client when it is to be shown');
	like($trace[2] // '', qr/^Received: from x by y/, 'R8601-2.7.4-a those of the client last');
	is(scalar @trace, 3, 'R8601-5-a the forged one is gone') or diag(join("\n", @trace));
	my $s = IO::Socket::UNIX->new(Peer => "$d->{dir}/submit.sock");
	if ($s) {
		my $say = sub { print $s "$_[0]\r\n" if defined $_[0];
			my $l; do { $l = <$s> // '' } while $l =~ /^\d+-/; return $l };
		$say->();
		$say->($_) for 'EHLO me', 'MAIL FROM:<root@mail.example.org>', 'RCPT TO:<a@x.example>', 'DATA';
		like($say->("From: <root\@mail.example.org>\r\nSubject: local\r\n\r\nx\r\n."), qr/^250 /, 'a local program');
		close($s);
		($m) = $d->mails_wait(1, qr/^Subject: local\r?$/m);
		unlike($m // 'Authentication-Results', qr/^Authentication-Results/m,
		    'nobody logged in: no field');
		like($m // '', qr/^Received: from mail\.example\.org by/m,
		    'R5321-4.4-d nor has it an address');
	} else {
		fail("local socket: $!");
	}
};

subtest 'append-domain' => sub {
	my $c = $d->session(0);
	says($c->cmd("MAIL FROM:<$u->{name}>"), 250, '2.1.0', 'R6409-4.2-b a bare sender is completed');
	says($c->cmd('RCPT TO:<bob> NOTIFY=NEVER'), 250, '2.1.5', 'R6409-4.2-b a bare recipient too');
	says($c->cmd('RCPT TO:<"b c">'), 250, '2.1.5', 'R6409-4.2-b and a quoted one');
	says($c->cmd('RCPT TO:<PostMaster>'), 250, '2.1.5', 'R5321-4.5.1-a Postmaster is ours');
	says($c->cmd('RCPT TO:<a@label>'), 554, '5.1.2', 'R6409-4.2-a a label is not nothing');
	says($c->cmd('RCPT TO:<>'), 501, '5.1.3', 'nor is <>');
	says($c->cmd("RCPT TO:<a\@$_>"), 550, '5.7.1', "R5321-4.1.3-a $_ is switched off")
	    for '[192.0.2.1]', '[IPv6:2001:db8::1]';
	says($c->cmd('RCPT TO:<a@[192.0.2.]>'), 501, '5.1.3', 'R5321-4.1.3-a a bad one is still 501');
	$c->cmd('DATA');
	says($c->cmd("From: $u->{name}\r\nTo: bob\r\nSubject: bare\r\n\r\nx\r\n."), 250, '2.0.0', 'accepted');
	says($c->cmd('MAIL FROM:<root>'), 550, '5.7.1', 'rights are asked of the whole address');
	says($c->cmd('MAIL FROM:<>'), 250, '2.1.0', 'R6409-3.2-a <> stays');
	$c->quit;
	my ($m) = $d->mails_wait(1, qr/^Subject: bare\r?$/m);
	like($m // '', qr/^Return-Path: <\Q$u->{name}\E\@example\.org>/m, 'the sender as it is passed on');
	ok($d->log_wait(qr/to=\S*bob\@example\.org/), 'the recipient as it is passed on');
	ok($d->log_wait(qr/to=\S*postmaster/i), 'Postmaster goes on');
};

$d->done;

subtest 'smaller limits' => sub {
	my $small = Msad->new(start => 0);
	$small->{extra} = "limit session { sasl-line 1K, text-line 2000, mime-parts 3, mime-depth 2 }\n";
	$small->write_conf;
	$small->start;
	my $v = $small->account(0);
	my $c = $small->client;
	says($c->cmd('AUTH PLAIN ' . 'A' x 1011), 501, '5.5.2', 'R4954-4-i 1024 octets are read');
	says($c->cmd('AUTH PLAIN ' . 'A' x 1012), 500, '5.5.6', 'R4954-4-i 1025 are too many');
	says($c->cmd('AUTH LOGIN'), 334, '', 'LOGIN');
	says($c->cmd('A' x 1023), 500, '5.5.6', 'R4954-4-i a response too');
	$c->quit;
	$c = $small->session(0);
	my $from = "From: <$v->{address}>\r\n";
	my $send = sub { $c->submit($v->{address}, 'a@x.example', "$from$_[0]") };
	says($send->("Subject: line\r\n\r\n" . 'x' x 2000 . "\r\n"), 250, '2.0.0',
	    'R5321-4.5.3.1.6-b a line of 2000');
	says($send->("Subject: line\r\n\r\n" . 'x' x 2001 . "\r\n"), 554, '5.6.0',
	    'R5321-4.5.3.1.6-b one of 2001');
	my $parts = sub {
		my ($n, $text) = @_;
		return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" .
		    "--b\r\n\r\n$text\r\n" x $n . "--b--\r\n";
	};
	says($send->($parts->(3, "\xe9")), 250, '2.0.0', 'X-mime-1 three parts');
	says($send->($parts->(4, "\xe9")), 554, '5.6.0', 'X-mime-1 four, the last with 8-bit content');
	says($send->($parts->(4, 'e')), 250, '2.0.0', 'X-mime-1 four that need no encoding');
	my $deep = sub {
		my ($n, $text) = @_;
		my $m = "MIME-Version: 1.0\r\n";
		$m .= "Content-Type: multipart/mixed; boundary=b$_\r\n\r\n--b$_\r\n" for 1 .. $n;
		$m .= "\r\n$text\r\n";
		$m .= "--b$_--\r\n" for reverse 1 .. $n;
		return $m;
	};
	says($send->($deep->(2, "\xe9")), 250, '2.0.0', 'X-mime-1 two levels');
	says($send->($deep->(3, "\xe9")), 554, '5.6.0', 'X-mime-1 three with 8-bit content');
	$c->quit;
	$small->done;
};

subtest 'without any of it' => sub {
	my $plain = Msad->new;
	my $v = $plain->account(0);
	my $c = $plain->session(0);
	says($c->cmd("MAIL FROM:<$v->{name}>"), 501, '5.1.7', 'R6409-5.1-a a bare sender is refused');
	says($c->cmd("MAIL FROM:<$v->{address}>"), 250, '2.1.0', 'whole');
	says($c->cmd('RCPT TO:<bob>'), 501, '5.1.3', 'R6409-5.1-a a bare recipient too');
	says($c->cmd('RCPT TO:<bob@x.example>'), 250, '2.1.5', 'whole');
	$c->cmd('DATA');
	says($c->cmd("From: $v->{address}\r\nSubject: plain\r\n\r\nx\r\n."), 250, '2.0.0', 'accepted');
	$c->quit;
	my ($m) = $plain->mails_wait(1, qr/^Subject: plain\r?$/m);
	unlike($m // 'Authentication-Results', qr/^Authentication-Results/m,
	    'R8601-2.7.4-a off by default');
	$plain->done;
};

done_testing;
