; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test kernels target=x86-64-v4
; test check

// Normalised while the product packs its left operand, scaled and shifted in the weights: one kernel.
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

; expect optimize target=x86-64-v4
;   ; %y: 36 e-nodes, 6 iterations, saturated; term-through-weights, factor-into-weights
;   graph norm_linear {
;     %x = input : f32[5, 24]
;     %gamma = weight : f32[24]
;     %beta = weight : f32[24]
;     %w = weight : f32[24, 10]
;     %4 = reduce %x { op = mean, axis = -1 } : f32[5, 1]
;     %5 = view %4 { map = "[5, 24] of 5: i0" } : f32[5, 24]
;     %6 = sub %x, %5 : f32[5, 24]
;     %7 = mul %6, %6 : f32[5, 24]
;     %8 = reduce %7 { op = mean, axis = -1 } : f32[5, 1]
;     %9 = view %8 { map = "[5, 24] of 5: i0" } : f32[5, 24]
;     %10 = const { value = 1e-5 } : f32[5, 24]
;     %11 = add %9, %10 : f32[5, 24]
;     %12 = rsqrt %11 : f32[5, 24]
;     %13 = mul %6, %12 : f32[5, 24]
;     %14 = view %gamma { map = "[24, 10] of 24: i0" } : f32[24, 10]
;     %15 = mul %w, %14 : f32[24, 10]
;     %16 = matmul %13, %15 : f32[5, 10]
;     %17 = view %beta { map = "[1, 24] of 24: i1" } : f32[1, 24]
;     %18 = matmul %17, %w : f32[1, 10]
;     %19 = view %18 { map = "[5, 10] of 10: i1" } : f32[5, 10]
;     %y = add %16, %19 : f32[5, 10]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan norm_linear {
;     %y = matmul [1, 5, 24] by [24, 10], constant %15 reading %x, %18
;   }

; expect kernels target=x86-64-v4
;   program norm_linear: 1 kernel, 1 launch
;     0 matmul_5x24x10 blocks 3 (x, 18, 15, y)
;   matmul_5x24x10: core lanes 16, grid [1, 3, 1], 148 instructions, 6500 flops, params 7232 B read 320 B written, scratch 896 B read 1152 B written, 320 B scratch

; expect check
;   %y within 1e-5 of the reference
