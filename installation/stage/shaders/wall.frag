#version 330 core
// The mixed picture (or the test card) on the wall: placed, enlarged, graded, blended at the edges, dithered.
uniform sampler2D picture;
uniform vec2 size;         // of the wall, in pixels
uniform mat3 to_picture;   // places of the wall -> of the picture
uniform mat3 to_frame;     // places of the wall -> before the corners were pinned
uniform vec4 blend;        // width of the ramps: left, top, right, bottom
uniform float light, gamma, black;
uniform bool shrinks;      // more than a pixel of the picture to one of the wall
out vec4 value;

// Catmull-Rom in nine taps, each between texels so that the hardware's bilinear filter sums four.
vec3 catmull_rom(vec2 place) {
    vec2 texels = vec2(textureSize(picture, 0)), at = place * texels;
    vec2 middle = floor(at - 0.5) + 0.5, f = at - middle;
    vec2 w0 = f * (-0.5 + f * (1.0 - 0.5 * f)), w1 = 1.0 + f * f * (-2.5 + 1.5 * f);
    vec2 w2 = f * (0.5 + f * (2.0 - 1.5 * f)), w3 = f * f * (-0.5 + 0.5 * f);
    vec2 w[3] = vec2[](w0, w1 + w2, w3);
    vec2 p[3] = vec2[]((middle - 1.0) / texels, (middle + w2 / (w1 + w2)) / texels, (middle + 2.0) / texels);
    vec3 sum = vec3(0.0);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            sum += textureLod(picture, vec2(p[i].x, p[j].y), 0.0).rgb * w[i].x * w[j].y;
    return clamp(sum, 0.0, 1.0);
}

float ramp(float place, float start, float end) {
    float s = start > 0.0 ? smoothstep(0.0, start, place) : 1.0;
    float e = end > 0.0 ? smoothstep(0.0, end, 1.0 - place) : 1.0;
    return pow(s * e, 1.0 / 2.2);
}

// Interleaved gradient noise (Jimenez 2014): half a step of a byte, so that slow fades and soft skies show no bands.
float noise() { return fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) - 0.5; }

void main() {
    vec3 wall = vec3(gl_FragCoord.x / size.x, 1.0 - gl_FragCoord.y / size.y, 1.0);
    vec3 p = to_picture * wall, q = to_frame * wall;
    vec2 place = p.xy / p.z, frame = q.xy / q.z;
    vec2 width = max(fwidth(place), vec2(1e-6)), edge = max(fwidth(frame), vec2(1e-6));
    vec2 inside = clamp(min(place, 1.0 - place) / width + 0.5, 0.0, 1.0);       // soft by a pixel where it ends
    vec2 within = clamp(min(frame, 1.0 - frame) / edge + 0.5, 0.0, 1.0);
    vec3 colour = shrinks ? texture(picture, place).rgb : catmull_rom(place);
    colour *= inside.x * inside.y * step(0.0, p.z);
    colour = (black + (1.0 - black) * pow(colour, vec3(1.0 / gamma))) * light;
    colour *= within.x * within.y * step(0.0, q.z);
    colour *= ramp(frame.x, blend.x, blend.z) * ramp(frame.y, blend.y, blend.w);
    value = vec4(colour + noise() / 255.0 * step(vec3(0.002), colour), 1.0);
}
