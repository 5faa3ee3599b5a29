#version 330 core
// Two pictures become one, mixed as light; see light.py. Row 0 of every texture is a picture's upper row.
uniform sampler2D older, newer;
uniform mat3 older_place;  // places of the newer picture -> of the older, where their sizes differ
uniform float weight;
uniform vec2 size;
out vec4 value;

vec3 linear(vec3 v) { return mix(pow((v + 0.055) / 1.055, vec3(2.4)), v / 12.92, lessThanEqual(v, vec3(0.04045))); }
vec3 coded(vec3 l) { return mix(1.055 * pow(l, vec3(1.0 / 2.4)) - 0.055, l * 12.92, lessThanEqual(l, vec3(0.0031308))); }

void main() {
    vec2 here = gl_FragCoord.xy / size;
    vec2 there = (older_place * vec3(here, 1.0)).xy;
    vec3 a = all(lessThan(abs(there - 0.5), vec2(0.5))) ? texture(older, there).rgb : vec3(0.0);
    vec3 b = texture(newer, here).rgb;
    value = vec4(coded(mix(linear(a), linear(b), weight)), 1.0);
}
