# The cache of right passwords: PAM hashes once, the account is checked each
# time, a wrong password never gets in by it, and what makes an entry go.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MIME::Base64;
use Msad;
use Test::More;

my $pam = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n";

sub house {
	my (%o) = @_;
	my $d = Msad->new(start => 0, extra => "limit login { delay 0s }\n", %o);
	spew("/etc/pam.d/$d->{service}", $pam, 0644);
	$d->start;
	return $d;
}

sub stats {
	my ($d) = @_;
	my $s = $d->msactl('-j', 'show', 'stats')->{json}[0] // {};
	return map { $s->{"auth.$_"} // -1 } qw(pam.asked cache.hits pam.account);
}

sub login {
	my ($d, $user, $password, @more) = @_;
	my $c = $d->client(tls => 'tls', @more) or return 0;
	my $code = $c->auth_plain($user, $password)->{code};
	$c->close;
	return $code;
}

sub set_password {
	my ($u, $password) = @_;
	Msad::with_lock {
		open(my $p, '|-', 'chpasswd') or die;
		print $p "$u->{name}:$password\n";
		close($p) or die 'chpasswd';
	};
}

my $d = house();
my ($u, $v) = map { $d->account($_) } 0, 1;

subtest 'once a minute' => sub {
	is(login($d, $u->{name}, $u->{password}), 235, 'a login') for 1 .. 5;
	is_deeply([stats($d)], [1, 4, 4], 'one hash, four checks of the account');
	is(login($d, $u->{name}, "$u->{password}x"), 535, 'a wrong password');
	is(login($d, $u->{name}, substr($u->{password}, 1)), 535, 'and another');
	is(login($d, $v->{name}, $u->{password}), 535, "another's password");
	is_deeply([stats($d)], [4, 4, 4], 'are asked of PAM each');
	is(login($d, $u->{name}, "$u->{password}x"), 535, 'wrong again');
	is_deeply([stats($d)], [5, 4, 4], 'a wrong one is not remembered');
	is(login($d, $u->{name}, $u->{password}), 235, 'the right one still is');
	is_deeply([stats($d)], [5, 5, 5], 'from the cache');
};

subtest 'the account is checked each time' => sub {
	is(login($d, $v->{name}, $v->{password}), 235, 'a login');
	Msad::with_lock { Msad::quietly('chage', '-E', '0', $v->{name}) };
	my ($asked, $hits) = stats($d);
	is(login($d, $v->{name}, $v->{password}), 525, 'expired: refused at once');
	is_deeply([(stats($d))[0, 1]], [$asked, $hits + 1], 'the cache had it');
	Msad::with_lock { Msad::quietly('chage', '-E', '-1', $v->{name}) };
	is(login($d, $v->{name}, $v->{password}), 235, 'and not any more');
};

subtest 'a new password' => sub {
	my ($asked) = stats($d);
	set_password($u, 'new-password');
	is(login($d, $u->{name}, 'new-password'), 235, 'the new one is asked of PAM');
	is(login($d, $u->{name}, $u->{password}), 535, 'the old one is dropped');
	is((stats($d))[0], $asked + 2, 'asked twice');
	is(login($d, $u->{name}, 'new-password'), 235, 'the new one');
	is((stats($d))[0], $asked + 2, 'is remembered');
	$d->reload;
	ok($d->log_wait(qr/event=reload/), 'a reload');
	my $forgot = wait_for {
		login($d, $u->{name}, 'new-password') == 235 &&
		    (stats($d))[0] > $asked + 2;
	} 5;
	ok($forgot, 'forgets all');
};

# Many sessions of a client that is not known yet cost one hash.
subtest 'all at once' => sub {
	my $w = $d->account(2);
	my ($asked) = stats($d);
	my @c = map { $d->client(tls => 'tls') } 1 .. 30;
	my $ir = encode_base64("\0$w->{name}\0$w->{password}", '');
	$_->send("AUTH PLAIN $ir\r\n") for @c;
	is(scalar(grep { $_->reply->{code} == 235 } @c), 30, '30 get in');
	is((stats($d))[0], $asked + 1, 'one was asked of PAM');
	$_->close for @c;
	# and with wrong passwords each is asked, one after the other
	my $x = $d->account(3);
	($asked) = stats($d);
	@c = map { $d->client(tls => 'tls', local => '127.5.5.5') } 1 .. 10;
	$c[$_]->send('AUTH PLAIN ' . encode_base64("\0$x->{name}\0wrong$_", '') .
	    "\r\n") for 0 .. $#c;
	is(scalar(grep { $_->reply->{code} == 535 } @c), 10, '10 do not');
	is((stats($d))[0], $asked + 10, 'ten were asked of PAM');
	# who leaves while it waits is in nobody's way
	@c = map { $d->client(tls => 'tls', local => '127.5.5.6') } 1 .. 10;
	$c[$_]->send('AUTH PLAIN ' . encode_base64("\0$x->{name}\0bad$_", '') .
	    "\r\n") for 0 .. $#c;
	$_->close for @c;
	is(login($d, $x->{name}, $x->{password}, local => '127.5.5.6'), 235,
	    'the next one is served');
};
unlike($d->log, qr/event=child-died/, 'nothing died');
$d->done;

subtest 'cache off' => sub {
	my $e = house(auth_options => 'mech { plain } cache off');
	my $w = $e->account(0);
	is(login($e, $w->{name}, $w->{password}), 235, 'a login') for 1 .. 3;
	is_deeply([stats($e)], [3, 0, 0], 'each is asked of PAM');
	$e->done;
};

subtest 'cache 1s' => sub {
	my $e = house(auth_options => 'mech { plain } cache 1s');
	my $w = $e->account(0);
	my $again = wait_for {
		login($e, $w->{name}, $w->{password});
		(stats($e))[0] > 1;
	} 10;
	ok($again, 'is over after that time');
	$e->done;
};
done_testing;
