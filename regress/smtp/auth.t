# AUTH PLAIN and LOGIN against PAM with real accounts.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MIME::Base64;
use Msad;
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new;
my $u = $d->account(0);
my ($user, $pw) = @$u{qw(name password)};

sub b64 { return encode_base64(join('', @_), '') }

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

subtest 'PLAIN' => sub {
	my $c = $d->client;
	says($c->auth_plain($user, $pw), 235, '2.7.0', 'R4954-4-a initial response');
	$c->quit;
	$c = $d->client;
	my $r = $c->cmd('AUTH PLAIN');
	is($r->{text}, "334 \r\n", 'R4954-4-d an empty challenge');
	says($c->cmd(b64("\0$user\0$pw")), 235, '2.7.0', 'R4954-4-d then the response');
	$c->quit;
	$c = $d->client(tls => 'tls');
	says($c->cmd('auth plain ' . b64("\0$user\0$pw")), 235, '2.7.0',
	    'R5321-2.4-a, R4954-4-c any letter case, on implicit TLS');
	$c->quit;
	$c = $d->client;
	says($c->auth_plain($user, $pw, $user), 235, '2.7.0',
	    'R4616-2-a the same authzid');
	$c->quit;
	$c = $d->client;
	says($c->auth_plain($user, $pw, 'root'), 535, '5.7.8',
	    'R4616-2-a another authzid');
	$c->quit;
};

subtest 'LOGIN' => sub {
	my $c = $d->client;
	is($c->cmd('AUTH LOGIN')->{text}, "334 VXNlcm5hbWU6\r\n", 'D-login-2-a');
	is($c->cmd(b64($user))->{text}, "334 UGFzc3dvcmQ6\r\n", 'D-login-2-a');
	says($c->cmd(b64($pw)), 235, '2.7.0', 'D-login-2-a');
	$c->quit;
	$c = $d->client;
	is($c->cmd('AUTH LOGIN ' . b64($user))->{text}, "334 UGFzc3dvcmQ6\r\n",
	    'R4954-4-f initial response is the user');
	says($c->cmd('*'), 501, '5.7.0', 'D-login-2-b cancel at the password');
	says($c->auth_login($user, ''), 535, '5.7.8', 'D-login-2-b empty password');
	says($c->auth_login('', 'x'), 535, '5.7.8', 'D-login-2-b empty user');
	$c->quit;
};

subtest 'bad credentials' => sub {
	my $c = $d->client;
	says($c->auth_plain($user, "$pw."), 535, '5.7.8', 'R4954-6-a wrong password');
	says($c->auth_plain('no-such-user', $pw), 535, '5.7.8', 'R4954-6-a unknown user');
	says($c->auth_plain($user, $pw), 235, '2.7.0',
	    'R4954-9-a two failures leave the session usable');
	$c->quit;
	$c = $d->client;
	says($c->auth_plain($user, 'x'), 535, '5.7.8', "R4954-9-a failure $_") for 1 .. 3;
	my $r = $c->reply;
	says($r, 421, '4.7.0', 'R4954-9-a then 421');
	like($r->{text}, qr/mail\.example\.org/, 'R4954-9-a with our name');
	ok($c->closed, 'R4954-9-a and close');
	my $n = 0;
	for my $ir (b64($user), b64("\0$user"), b64("a\0$user\0$pw\0"),
	    b64("\0\0$pw"), b64("\0$user\0"), b64("\0\xff\xfe\0$pw"), '=') {
		$c = $d->client;
		says($c->cmd("AUTH PLAIN $ir"), 535, '5.7.8',
		    'R4616-2-b, R4954-4-e malformed PLAIN ' . ++$n);
		$c->quit;
	}
	for my $len (255, 256) {
		$c = $d->client;
		says($c->auth_plain('u' x $len, $pw), 535, '5.7.8',
		    "R4616-2-a user of $len octets");
		$c->quit;
	}
	unlike($d->log, qr/\Q$pw\E/, 'P-pam-3, X-leak-1 no password in the log');
	unlike($d->log, qr/\Q@{[b64("\0$user\0$pw")]}\E/, 'X-leak-1 nor its base64');
};

subtest 'framing' => sub {
	my $c = $d->client;
	says($c->cmd('AUTH'), 501, '5.5.4', 'R4954-4-c no mechanism');
	says($c->cmd("AUTH $_"), 504, '5.5.4', "R4954-4-c $_")
	    for 'FOO', 'SCRAM-SHA-256', 'EXTERNAL =';
	my $n = 0;
	for my $bad ('AA=A', 'A', 'AAAAA', '****', "AAA\xff", 'AA==AA==') {
		says($c->cmd("AUTH PLAIN $bad"), $bad =~ /\xff/ ? 500 : 501, '5.5.2',
		    'R4954-4-h, R5321-2.4-b bad base64 ' . ++$n);
		if ($n == 3) { $c->quit; $c = $d->client }
	}
	$c->quit;
	$c = $d->client;
	$c->cmd('AUTH PLAIN');
	says($c->cmd('!!!'), 501, '5.5.2', 'R4954-4-h in a response line');
	$c->cmd('AUTH PLAIN');
	says($c->cmd('*'), 501, '5.7.0', 'R4954-4-g cancelled');
	$c->cmd('AUTH PLAIN');
	says($c->cmd(''), 535, '5.7.8', 'R4954-4-e an empty line is an empty response');
	$c->cmd('AUTH PLAIN');
	says($c->cmd('A' x 12290), 500, '5.5.6', 'R4954-4-i a line of 12292 octets');
	says($c->cmd('NOOP'), 250, '2.0.0', 'R4954-4-i exchange is over, in step');
	$c->cmd('AUTH PLAIN');
	says($c->cmd('A' x 12284), 535, '5.7.8', 'R4954-4-i 12286 octets are read');
	says($c->auth_plain($user, $pw), 235, '2.7.0', 'then a login');
	$c->quit;
};

subtest 'pipelined behind AUTH' => sub {
	my $c = $d->client;
	$c->send('AUTH PLAIN ' . b64("\0$user\0$pw") . "\r\nMAIL FROM:<$u->{address}>\r\nRSET\r\n");
	says($c->reply, 235, '2.7.0', 'R4954-4-k the verdict');
	says($c->reply, 250, '2.1.0', 'R4954-4-k then MAIL');
	says($c->reply, 250, '2.0.0', 'R4954-4-k then RSET');
	$c->quit;
	$c = $d->client;
	$c->send("AUTH PLAIN\r\nNOOP\r\n");
	is($c->reply->{code}, 334, 'R4954-4-k challenge');
	my $r = $c->reply;
	ok($r->{code} == 501 || $r->{code} == 535,
	    'X-smug-3, R4954-4-k the next line is the response');
	$c->quit;
};

subtest 'accounts that may not' => sub {
	my $v = $d->account(1);
	my $c = $d->client;
	says($c->auth_plain($v->{name}, $v->{password}), 235, '2.7.0', 'a second account');
	$c->quit;
	Msad::with_lock { Msad::quietly('chage', '-E', '0', $v->{name}) };
	$c = $d->client;
	says($c->auth_plain($v->{name}, $v->{password}), 525, '5.7.13',
	    'P-pam-1 expired account, right password');
	says($c->auth_plain($v->{name}, 'x'), 535, '5.7.8',
	    'P-pam-1 expired account, wrong password');
	$c->quit;
	# another one, since the cache does not hear of a lock
	Msad::with_lock { Msad::quietly('chage', '-E', '-1', $v->{name}) };
	$v = $d->account(2);
	Msad::with_lock { Msad::quietly('usermod', '-L', $v->{name}) };
	$c = $d->client;
	says($c->auth_plain($v->{name}, $v->{password}), 535, '5.7.8',
	    'R4954-6-a locked password');
	$c->quit;
};

subtest 'workers killed' => sub {
	for my $name ('msad-pam', 'msad-auth') {
		my @old = map { $_->{pid} } $d->child_named($name);
		ok(@old, "$name runs") or next;
		my $c = $d->client;
		kill('KILL', @old);
		my $r = $c->auth_plain($user, $pw);
		ok($r->{code} == 454 && $r->{enh} eq '4.7.0' || $r->{code} == 235
		    || $r->{code} == 421, "P-pam-2, R4954-6-b $name killed: 454 or already back")
		    or diag($r->{text});
		my $from = time;
		my $ok = wait_for {
			my $s = $d->client or return 0;
			my $code = $s->auth_plain($user, $pw)->{code};
			$s->close;
			return $code == 235;
		} 10;
		ok($ok, "$name: logins work again");
		cmp_ok(time - $from, '<', 2, "$name: within 2 s");
	}
};

subtest 'clients that leave in the middle' => sub {
	for (1 .. 30) {
		my $c = $d->client;
		$c->send('AUTH PLAIN ' . b64("\0$user\0wrong") . "\r\n");
		$c->close;
	}
	my $c = $d->client;
	says($c->auth_plain($user, $pw), 235, '2.7.0', 'X-auth-2 the next one is served');
	$c->quit;
	my $s = $d->msactl('-j', 'show', 'stats')->{json}[0] // {};
	cmp_ok($s->{'auth.ok'} // 0, '>=', 5, 'msactl show stats counts auth.ok');
	cmp_ok($s->{'auth.failed'} // 0, '>=', 5, 'and auth.failed');
};

$d->done;
done_testing;
