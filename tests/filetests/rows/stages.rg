; test plan target=x86-64-v4
; test kernels target=x86-64-v4
; test check

// A depthwise convolution, its norm and what is made of it are one kernel, row by row; the convolved map is kept
// for the residual.
graph stages {
  %x = input : f32[1, 12, 11, 20]
  %k = weight : f32[20, 1, 3, 3]
  %g = weight : f32[20]
  %w = weight : f32[20, 70]
  %v = weight : f32[70, 20]
  %f = transpose %x { order = [-1, -3, -2] }
  %d = conv2d %f, %k { stride = 1, padding = 1, dilation = 1, groups = 20 }
  %l = transpose %d { order = [-2, -1, -3] }
  %s = add %x, %l
  %n = layer_norm %s, %g, %g { eps = 1e-5 }
  %p = matmul %n, %w
  %e = gelu %p
  %q = matmul %e, %v
  %y = add %q, %s
  return %y
}

; expect plan target=x86-64-v4
;   plan stages {
;     %e = matmul [1, 132, 20] by [20, 70], constant %22 fused producers %s (also stored) reading %x, %k, %25
;     %y = matmul [1, 132, 70] by [70, 20], constant %v reading %e, %s
;   }

; expect kernels target=x86-64-v4
;   program stages: 2 kernels, 2 launches
;     0 matmul_132x20x70 blocks 4 (x, k, 25, 22, s, e)
;     1 matmul_132x70x20 blocks 4 (e, s, v, y)
;   matmul_132x20x70: core lanes 16, grid [1, 4, 1], 506 instructions, 1057848 flops, params 709632 B read 67584 B written, scratch 139392 B read 84480 B written, 3392 B scratch
;   matmul_132x70x20: core lanes 16, grid [1, 4, 1], 143 instructions, 595584 flops, params 152416 B read 16896 B written, scratch 16896 B read 16896 B written, 1536 B scratch

; expect check
;   %y within 1e-5 of the reference
