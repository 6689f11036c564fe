; test eval
; test plan target=x86-64-v4
; test kernels target=x86-64-v4
; test check

// Normalisation while the product packs its left operand: one kernel.
graph norm_linear {
  %x = input : f32[5, 24]
  %gamma = weight : f32[24]
  %beta = weight : f32[24]
  %w = weight : f32[24, 10]
  %n = layer_norm %x, %gamma, %beta { eps = 1e-5 }
  %y = matmul %n, %w
  return %y
}

; expect eval
;   3250 flops
;   %y : f32[5, 10] = -0.90054 -3.17149 2.40156 0.84762 1.30048 -1.73535 … norm 13.41331

; expect plan target=x86-64-v4
;   plan norm_linear {
;     %y = product [1, 5, 24] by [24, 10], constant %w reading %x, %gamma, %beta
;   }

; expect kernels target=x86-64-v4
;   program norm_linear: 1 kernels, 1 launches
;     0 product_5x24x10 blocks 1 (x, gamma, beta, w, y)
;   product_5x24x10: core lanes 16, grid [1, 1, 1], 167 instructions, 5910 flops, params 4736 B read 320 B written, scratch 800 B read 960 B written, 832 B scratch

; expect check
;   %y within 1e-5 of the reference
