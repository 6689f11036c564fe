; test roundtrip
; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

graph block {
  %x = input : f32[1, 3, 6, 5]
  %"conv.weight" = weight : f32[8, 3, 3, 3]
  %"bn.weight" = weight : f32[8]
  %"bn.bias" = weight : f32[8]
  %"bn.running_mean" = weight : f32[8]
  %"bn.running_var" = weight : f32[8]
  %c = conv2d %x, %"conv.weight" { stride = 1, padding = 1, dilation = 1, groups = 1 }
  %n = batch_norm %c, %"bn.weight", %"bn.bias", %"bn.running_mean", %"bn.running_var" { eps = 2.0, axis = -3 }
  %r = gelu %n
  %"depthwise.weight" = weight : f32[8, 1, 3, 3]
  %d = conv2d %r, %"depthwise.weight" { stride = 1, padding = 1, dilation = 1, groups = 8 }
  %s = add %d, %r
  %"last.weight" = weight : f32[4, 8, 3, 3]
  %y = conv2d %s, %"last.weight" { stride = 2, padding = 1, dilation = 1, groups = 1 }
  return %y
}

; expect roundtrip
;   graph block {
;     %x = input : f32[1, 3, 6, 5]
;     %conv.weight = weight : f32[8, 3, 3, 3]
;     %bn.weight = weight : f32[8]
;     %bn.bias = weight : f32[8]
;     %bn.running_mean = weight : f32[8]
;     %bn.running_var = weight : f32[8]
;     %c = conv2d %x, %conv.weight { stride = [1, 1], padding = [1, 1], dilation = [1, 1], groups = 1 } : f32[1, 8, 6, 5]
;     %n = batch_norm %c, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var { eps = 2.0, axis = -3 } : f32[1, 8, 6, 5]
;     %r = gelu %n : f32[1, 8, 6, 5]
;     %depthwise.weight = weight : f32[8, 1, 3, 3]
;     %d = conv2d %r, %depthwise.weight { stride = [1, 1], padding = [1, 1], dilation = [1, 1], groups = 8 } : f32[1, 8, 6, 5]
;     %s = add %d, %r : f32[1, 8, 6, 5]
;     %last.weight = weight : f32[4, 8, 3, 3]
;     %y = conv2d %s, %last.weight { stride = [2, 2], padding = [1, 1], dilation = [1, 1], groups = 1 } : f32[1, 4, 3, 3]
;     return %y
;   }

; expect eval
;   24424 flops
;   %y : f32[1, 4, 3, 3] = 4.87285 8.83787 -1.66581 5.51643 10.19667 3.01084 … norm 37.63247

; expect optimize target=x86-64-v4
;   ; %y: 57 e-nodes, 10 iterations, saturated; factor-after-weights
;   graph block {
;     %x = input : f32[1, 3, 6, 5]
;     %conv.weight = weight : f32[8, 3, 3, 3]
;     %bn.weight = weight : f32[8]
;     %bn.bias = weight : f32[8]
;     %bn.running_mean = weight : f32[8]
;     %bn.running_var = weight : f32[8]
;     %bn.const = const { value = 2.0 } : f32[8]
;     %bn.running_var.add = add %bn.running_var, %bn.const : f32[8]
;     %bn.running_var.rsqrt = rsqrt %bn.running_var.add : f32[8]
;     %bn.weight.mul = mul %bn.weight, %bn.running_var.rsqrt : f32[8]
;     %bn.weight.mul.2 = mul %bn.running_mean, %bn.weight.mul : f32[8]
;     %bn.weight.sub = sub %bn.bias, %bn.weight.mul.2 : f32[8]
;     %depthwise.weight = weight : f32[8, 1, 3, 3]
;     %last.weight = weight : f32[4, 8, 3, 3]
;     %conv.view = view %x { map = "[30, 27] of 90: (-1 + i0/5 + i1/9) in 6 * 5 + (-1 + i0%5 + i1/3%3) in 5 * 1 + 30*i1%3 else 0.0" } : f32[30, 27]
;     %conv.weight.view = view %conv.weight { map = "[27, 8] of 216: 27*i1 + 9*i0%3 + i0/3" } : f32[27, 8]
;     %bn.weight.view = view %bn.weight.mul { map = "[27, 8] of 8: i1" } : f32[27, 8]
;     %conv.weight.mul = mul %conv.weight.view, %bn.weight.view : f32[27, 8]
;     %conv = matmul %conv.view, %conv.weight.mul : f32[30, 8]
;     %bn.weight.view.2 = view %bn.weight.sub { map = "[30, 8] of 8: i1" } : f32[30, 8]
;     %bn = add %conv, %bn.weight.view.2 : f32[30, 8]
;     %bn.gelu = gelu %bn : f32[30, 8]
;     %bn.view = view %bn.gelu { map = "[30, 9, 8] of 240: (-1 + i0/5 + i1/3) in 6 * 40 + (-1 + i0%5 + i1%3) in 5 * 8 + i2 else 0.0" } : f32[30, 9, 8]
;     %depthwise.weight.view = view %depthwise.weight { map = "[30, 9, 8] of 72: 9*i2 + i1" } : f32[30, 9, 8]
;     %depthwise = mul %bn.view, %depthwise.weight.view : f32[30, 9, 8]
;     %last.sum = reduce %depthwise { op = sum, axis = -2 } : f32[30, 1, 8]
;     %bn.view.2 = view %bn.gelu { map = "[30, 1, 8] of 240: 8*i0 + i2" } : f32[30, 1, 8]
;     %bn.add = add %last.sum, %bn.view.2 : f32[30, 1, 8]
;     %bn.view.3 = view %bn.add { map = "[9, 72] of 240: (-1 + 2*i0/3 + i1/24) in 6 * 40 + (-1 + 2*i0%3 + i1/8%3) in 5 * 8 + i1%8 else 0.0" } : f32[9, 72]
;     %last.weight.view = view %last.weight { map = "[72, 4] of 288: 72*i1 + 9*i0%8 + i0/8" } : f32[72, 4]
;     %last = matmul %bn.view.3, %last.weight.view : f32[9, 4]
;     %y = view %last { map = "[1, 4, 3, 3] of 36: 12*i2 + 4*i3 + i1" } : f32[1, 4, 3, 3]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan block {
;     %conv = matmul [1, 30, 27] by [27, 8], constant %conv.weight.mul reading %x, %bn.weight.sub writing %bn.gelu
;     %bn.add = row [30, 8] reading %bn.gelu, %depthwise.weight
;     %last = matmul [1, 9, 72] by [72, 4], constant %last.weight.view reading %bn.add
;     %y = row [1, 36] reading %last
;   }

; expect check
;   %y within 1e-5 of the reference
