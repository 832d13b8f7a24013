# Keys, key sets and tokens for tests of OAUTHBEARER, XOAUTH2: made by openssl,
# so that what msad takes for right is what another program calls right.
package Msad::Jwt;
use strict;
use warnings;

use Exporter 'import';
use JSON::PP;
use MIME::Base64;

our @EXPORT = qw(jwt_key jwt_set jwt jwt_encode jwt_oauthbearer jwt_xoauth2);

my $json = JSON::PP->new->canonical;

sub url { my $s = encode_base64($_[0], ''); $s =~ tr{+/}{-_}; $s =~ s/=+$//; $s }

sub take {
	my (@cmd) = @_;
	open(my $p, '-|', @cmd) or die "$cmd[0]: $!";
	binmode($p);
	local $/;
	my $out = <$p>;
	close($p) or die "@cmd: exit $?";
	return $out;
}

my %new = (
	RS256 => ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
	ES256 => ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
	EdDSA => ['ED25519'],
);

# A key of that algorithm in dir: { file, alg, kid, jwk (public) }.
sub jwt_key {
	my ($dir, $alg, $kid, %o) = @_;
	my $file = "$dir/jwt-$kid.key";
	my @how = @{ $new{$alg} };
	$how[2] = "rsa_keygen_bits:$o{bits}" if $o{bits};
	system(qw(openssl genpkey -quiet -out), $file, '-algorithm', @how) == 0
	    or system("openssl genpkey -out $file -algorithm @how 2>/dev/null") == 0
	    or die 'genpkey';
	my $der = take(qw(openssl pkey -pubout -outform DER -in), $file);
	my %jwk = (kid => $kid, use => 'sig');
	if ($alg eq 'RS256') {
		my $n = take(qw(openssl rsa -noout -modulus -in), $file);
		$n =~ s/^Modulus=//;
		chomp($n);
		%jwk = (%jwk, kty => 'RSA', alg => $alg, n => url(pack('H*', $n)), e => 'AQAB');
	} elsif ($alg eq 'ES256') {
		%jwk = (%jwk, kty => 'EC', crv => 'P-256', alg => $alg,
		    x => url(substr($der, -64, 32)), y => url(substr($der, -32)));
	} else {
		%jwk = (%jwk, kty => 'OKP', crv => 'Ed25519', alg => $alg, x => url(substr($der, -32)));
	}
	return { file => $file, alg => $alg, kid => $kid, jwk => \%jwk, der => $der };
}

sub jwt_set { return $json->encode({ keys => [map { $_->{jwk} } @_] }) }

# R and S of a DER signature, 32 octets each.
sub raw {
	my ($der) = @_;
	my ($rl) = unpack('x3C', $der);
	my ($r, $s) = (substr($der, 4, $rl), substr($der, 6 + $rl));
	s/^\0+// for $r, $s;
	return join('', map { ("\0" x (32 - length)) . $_ } $r, $s);
}

sub sign {
	my ($key, $data) = @_;
	my $in = "$key->{file}.in.$$";
	open(my $f, '>:raw', $in) or die;
	print $f $data;
	close($f);
	my $sig = $key->{alg} eq 'EdDSA' ?
	    take(qw(openssl pkeyutl -sign -rawin -inkey), $key->{file}, '-in', $in) :
	    take(qw(openssl dgst -sha256 -sign), $key->{file}, $in);
	unlink($in);
	return $key->{alg} eq 'ES256' ? raw($sig) : $sig;
}

# A token with these claims; header => { } adds to its header (undef removes),
# sign => sub { } makes another signature.
sub jwt {
	my ($key, $claims, %o) = @_;
	my %h = (alg => $key->{alg}, typ => 'JWT', kid => $key->{kid}, %{ $o{header} // {} });
	delete $h{$_} for grep { !defined $h{$_} } keys %h;
	my $data = url($o{raw_header} // $json->encode(\%h)) . '.' .
	    url($o{raw_claims} // $json->encode($claims));
	my $sig = $o{sign} ? $o{sign}->($data) : sign($key, $data);
	return "$data." . url($sig);
}

sub jwt_encode { return url($_[0]) }

# Messages of the mechanisms, not encoded.
sub jwt_oauthbearer {
	my ($token, %o) = @_;
	my $a = defined $o{user} ? "a=$o{user}" : '';
	my $kv = join('', map { "$_=$o{$_}\1" } grep { defined $o{$_} } qw(host port x));
	return ($o{gs2} // "n,$a,") . "\1${kv}auth=" . ($o{scheme} // 'Bearer') . " $token\1\1";
}

sub jwt_xoauth2 {
	my ($token, $user) = @_;
	return "user=$user\1auth=Bearer $token\1\1";
}

1;
