#!/usr/bin/perl
# P2, P-pam-3, X-leak-1: where keys and passwords are. The address spaces of
# all processes are searched: the private key's number must be found in
# msad-keys (or the search proves nothing) and nowhere else, and a password
# nowhere once its login is over. Then: which program links what.
use strict;
use warnings;
no warnings 'portable';
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

# Does the memory of this process hold these octets? undef: it could not be read.
sub memory_has {
	my ($pid, $octets) = @_;
	open(my $maps, '<', "/proc/$pid/maps") or return undef;
	open(my $mem, '<:raw', "/proc/$pid/mem") or return undef;
	my $read = 0;
	while (my $line = <$maps>) {
		my ($from, $to, $mode, $name) = $line =~
		    /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)/ or next;
		next if $mode !~ /^r/ || $name =~ /^\[v/;
		my ($at, $left) = (hex($from), hex($to) - hex($from));
		my $tail = '';
		while ($left > 0) {
			my $n = $left > 1 << 20 ? 1 << 20 : $left;
			sysseek($mem, $at, 0);
			my $got = sysread($mem, my $buf, $n) or last;
			return 1 if index($tail . $buf, $octets) >= 0;
			$tail = substr($buf, -length($octets));
			$at += $got;
			$left -= $got;
			$read += $got;
		}
	}
	return $read > 0 ? 0 : undef;
}

plan(skip_all => 'the address space of a sanitizer build is too large to search')
    if `ldd $Msad::BUILD/msad-keys` =~ /libasan/;

my $d = Msad->new(frontend_workers => 2);

# The private number of the EC key, big-endian as the file has it.
my ($hex) = `openssl ec -in $d->{dir}/server.key -text -noout 2>/dev/null` =~
    /priv:\s*((?:[0-9a-f]{2}[:\s]*)+)pub/;
$hex =~ s/[^0-9a-f]//g;
$hex = substr($hex, -64);
my $big = pack('H*', $hex);
# as OpenSSL keeps it: 64-bit words, the lowest first
my $words = join('', map { scalar reverse $_ } reverse unpack('(a8)*', $big));
is(length($big), 32, 'the key was read from its file');

# A handshake and a login, so that all that is ever loaded is loaded.
my $u = $d->account(0);
my $c = $d->session(0);
ok($c, 'logged in');
$c->cmd('NOOP');

sub holders {
	my ($octets) = @_;
	my (@who, @unread);
	for my $p ($d->children, { pid => $d->{pid}, name => 'msad' }) {
		my $has = memory_has($p->{pid}, $octets);
		push @unread, $p->{name} unless defined $has;
		push @who, $p->{name} if $has;
	}
	is("@unread", '', 'every address space was read');
	return @who;
}

is(join(' ', holders($words)), 'msad-keys', 'P2 the private key is in msad-keys alone');
is(join(' ', grep { $_ ne 'msad-keys' } holders($big)), '', 'P2 nor does any other process hold it as in the file');
my ($pem) = slurp("$d->{dir}/server.key") =~ /-----\n([^-]+)/;
is(join(' ', holders(substr($pem, 0, 48))), '', 'P2 the text of the key file is in no process any more');

is(join(' ', holders($u->{password})), '', 'P-pam-3 the password is in no process once the login is over');
my $l = $d->client;
$l->auth_login($u->{name}, $u->{password}) if $l->can('auth_login');
is(join(' ', holders($u->{password})), '', 'P-pam-3 nor after LOGIN');
my $bad = "no-such-secret-$$-abcdef";
my $b = $d->client;
is($b->auth_plain($u->{name}, $bad)->{code}, 535, 'a wrong password');
is(join(' ', holders($bad)), '', 'P-pam-3 nor a wrong one');
unlike($d->log, qr/\Q$u->{password}\E|\Q$bad\E/, 'P-pam-3 and none is in the log');

# What a program links says what it can do.
my %link;
for my $p (glob("$Msad::BUILD/msad-*"), "$Msad::BUILD/msad", "$Msad::BUILD/msactl") {
	next if -d $p || !-x $p;
	my ($name) = $p =~ m{([^/]+)$};
	my $ldd = `ldd $p`;
	for my $lib (qw(libpam libtls libcrypto libjansson libunbound)) {
		push @{ $link{$lib} }, $name if $ldd =~ /^\s*\Q$lib\E\.so/m;
	}
}
is(join(' ', @{ $link{libpam} }), 'msad-pam', 'libpam in msad-pam alone');
is(join(' ', sort @{ $link{libtls} }), 'msad-frontend msad-relay', 'libtls in frontend and relay alone');
ok(!grep({ $_ eq 'msad' || $_ eq 'msad-pam' } @{ $link{libcrypto} }), 'no libcrypto in the programs that run as root');
is(join(' ', sort @{ $link{libjansson} }), 'msactl msad-auth msad-control', 'libjansson in auth (tokens), control and msactl alone');

$d->done;
done_testing();
